import { join } from 'node:path'
import type { Subprocess } from 'bun'
import { type Line, startLine } from '#platform/line'
import { eventually, testBroker, testDatabase } from '#platform/testing'
import { type Mailbox, startMailbox } from './mailbox.ts'

const root = join(import.meta.dir, '..')
const names = ['auth', 'scheduling', 'notifier', 'gateway'] as const
/** A process of the system. */
export type Name = (typeof names)[number]

/** The whole system for one test file: real processes on ports, database, virtual host and SMTP server of their own. */
export type System = {
  url: string
  urlOf: (name: Name) => string
  mailbox: Mailbox
  /** The line to the broker, which can be cut. */
  broker: Line
  admin: { identifier: string; password: string }
  /** The virtual host on the broker. */
  vhost: string
  /** What auth encrypts with. */
  encryptionKey: string
  /** Ends a process at once, as a crash would. */
  kill: (name: Name) => Promise<void>
  /** Starts a process again and waits until it is ready. */
  start: (name: Name) => Promise<void>
  /** Asks a process to end, as an orchestrator would; gives its exit code. */
  terminate: (name: Name) => Promise<number>
  database: Awaited<ReturnType<typeof testDatabase>>
  stop: () => Promise<void>
}

/** Starts the system; `settings` are added to every process. Ready in about two seconds. */
export async function startSystem(settings: Record<string, string> = {}): Promise<System> {
  const database = await testDatabase('scheduling')
  const vhost = await testBroker()
  const broker = await startLine(Number(new URL(vhost.url).port))
  const mailbox = await startMailbox()
  const ports = Object.fromEntries([...names, 'ops'].map((name) => [name, freePort()])) as Record<Name | 'ops', number>
  const urlOf = (name: Name) => `http://127.0.0.1:${ports[name]}`
  const brokerUrl = new URL(vhost.url)
  brokerUrl.port = String(broker.port)
  const admin = { identifier: 'admin@healthmed.example', password: `adm-${crypto.randomUUID()}` }
  const shared: Record<string, string> = {
    PATH: process.env.PATH ?? '',
    LOG_LEVEL: process.env.JOURNEY_LOG ?? 'error',
    RABBITMQ_URL: brokerUrl.href,
    AUTH_URL: urlOf('auth'),
    SCHEDULING_URL: urlOf('scheduling'),
    NOTIFIER_URL: urlOf('notifier'),
    PUBLIC_URL: urlOf('gateway'),
    SMTP_URL: `smtp://127.0.0.1:${mailbox.port}`,
    ENCRYPTION_KEY: randomKey(),
    INDEX_KEY: randomKey(),
    ADMIN_EMAIL: admin.identifier,
    ADMIN_PASSWORD: admin.password,
    RATE_LIMIT: 'off',
    ...settings
  }
  const running = new Map<Name, Subprocess>()

  const start = async (name: Name) => {
    const folder = name === 'gateway' ? 'gateway' : `services/${name}`
    const own = name === 'gateway' ? { OPS_PORT: String(ports.ops) } : { DATABASE_URL: database.urlOf(name) }
    const child = Bun.spawn([process.execPath, `${folder}/main.ts`], {
      cwd: root,
      env: { ...shared, ...own, SERVICE_NAME: name, PORT: String(ports[name]) },
      stdout: 'inherit',
      stderr: 'inherit'
    })
    running.set(name, child)
    const ready = name === 'gateway' ? `http://127.0.0.1:${ports.ops}/health/ready` : `${urlOf(name)}/health/ready`
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode} at its start`)
      return (await fetch(ready).catch(() => undefined))?.ok
    }, 20_000)
  }
  const end = async (name: Name, signal: 'SIGKILL' | 'SIGTERM') => {
    const child = running.get(name)
    child?.kill(signal)
    running.delete(name)
    return (await child?.exited) ?? 0
  }

  await Promise.all(names.map(start))
  return {
    url: urlOf('gateway'),
    urlOf,
    mailbox,
    broker,
    admin,
    vhost: vhost.vhost,
    encryptionKey: shared.ENCRYPTION_KEY as string,
    database,
    start,
    kill: async (name) => void (await end(name, 'SIGKILL')),
    terminate: (name) => end(name, 'SIGTERM'),
    stop: async () => {
      await Promise.all(names.map((name) => end(name, 'SIGKILL')))
      await mailbox.stop()
      broker.stop()
      await Promise.all([database.close(), vhost.close()])
    }
  }
}

const randomKey = () => Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('hex')

/** A port that was free a moment ago. */
function freePort(): number {
  const probe = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  probe.stop(true)
  return probe.port
}
