import { join } from 'node:path'
import type { Subprocess } from 'bun'
import { freePort } from '#platform/setup/ports'
import { type Line, startLine } from '#platform/testing/tcp-proxy'
import { eventually, testBroker, testDatabase } from '#platform/testing/testing'
import { type Mailbox, startMailbox } from './mailbox.ts'

const root = join(import.meta.dir, '..')
const names = ['auth', 'scheduling', 'notifier', 'gateway'] as const
/** A process of the system; `scheduling-2` is the second replica of `scheduling`. */
export type Name = (typeof names)[number] | `${(typeof names)[number]}-${number}`

/** The whole system for one test file: real processes on ports, database, virtual host and SMTP server of their own. */
export type System = {
  url: string
  /** Every process, replicas included. */
  names: Name[]
  urlOf: (name: Name) => string
  mailbox: Mailbox
  /** The lines of all processes to the broker, or of one, which can be cut and frozen. */
  broker: Pick<Line, 'cut' | 'freeze' | 'heal'>
  brokerOf: (name: Name) => Line
  admin: { identifier: string; password: string }
  /** The virtual host on the broker. */
  vhost: string
  /** What auth encrypts with. */
  encryptionKey: string
  /** The number of the operating system for a process. */
  pidOf: (name: Name) => number
  /** Processes that ended though nobody asked them to. */
  crashed: Name[]
  /** Ends a process at once, as a crash would. */
  kill: (name: Name) => Promise<void>
  /** Stops a process where it stands, or lets it go on. */
  pause: (name: Name) => void
  resume: (name: Name) => void
  /** Starts a process again and waits until it is ready. */
  start: (name: Name) => Promise<void>
  /** Asks a process to end, as an orchestrator would; gives its exit code. */
  terminate: (name: Name) => Promise<number>
  database: Awaited<ReturnType<typeof testDatabase>>
  stop: () => Promise<void>
}

type Replicas = { auth?: number; scheduling?: number; notifier?: number }

/** Starts the system; `settings` are added to every process, and `reached` says how a process reaches its database. Ready in about two seconds. */
export async function startSystem(
  settings: Record<string, string> = {},
  replicas: Replicas = {},
  reached = (url: string) => url
): Promise<System> {
  const all = names.flatMap((name) => [name, ...more(name, name in replicas ? (replicas as Record<string, number>)[name] : 1)]) as Name[]
  const database = await testDatabase('scheduling')
  const vhost = await testBroker()
  const lines = new Map<Name, Line>()
  for (const name of all) lines.set(name, await startLine(Number(new URL(vhost.url).port)))
  const mailbox = await startMailbox()
  const ports = Object.fromEntries([...all, 'ops'].map((name) => [name, freePort()])) as Record<Name | 'ops', number>
  const urlOf = (name: Name) => `http://127.0.0.1:${ports[name]}`
  const urlsOf = (service: string) =>
    all
      .filter((name) => serviceOf(name) === service)
      .map(urlOf)
      .join(',')
  const admin = { identifier: 'admin@healthmed.example', password: `adm-${crypto.randomUUID()}` }
  const eventKey = randomKey()
  const shared: Record<string, string> = {
    PATH: process.env.PATH ?? '',
    NODE_ENV: 'production',
    LOG_LEVEL: process.env.JOURNEY_LOG ?? 'error',
    AUTH_URL: urlsOf('auth'),
    SCHEDULING_URL: urlsOf('scheduling'),
    NOTIFIER_URL: urlsOf('notifier'),
    PUBLIC_URL: urlOf('gateway'),
    SMTP_URL: `smtp://127.0.0.1:${mailbox.port}`,
    ENCRYPTION_KEY: randomKey(),
    INDEX_KEY: randomKey(),
    EVENT_KEY: eventKey,
    AUTH_EVENT_KEY: eventKey,
    SCHEDULING_EVENT_KEY: eventKey,
    ADMIN_EMAIL: admin.identifier,
    ADMIN_PASSWORD: admin.password,
    RATE_LIMIT: 'off',
    ...settings
  }
  const lineOf = (name: Name) => lines.get(name) as Line
  const running = new Map<Name, Subprocess>()
  const crashed: Name[] = []
  const start = async (name: Name) => {
    const service = serviceOf(name)
    const own =
      service === 'gateway'
        ? { OPS_PORT: String(ports.ops) }
        : { DATABASE_URL: reached(database.urlOf(service)), RABBITMQ_URL: atPort(vhost.url, lineOf(name).port) }
    const child = Bun.spawn([process.execPath, `${service === 'gateway' ? service : `services/${service}`}/main.ts`], {
      cwd: root,
      env: { ...shared, ...own, SERVICE_NAME: name, PORT: String(ports[name]) },
      stdout: 'inherit',
      stderr: 'inherit'
    })
    running.set(name, child)
    child.exited.then(() => running.get(name) === child && crashed.push(name))
    const ready = service === 'gateway' ? `http://127.0.0.1:${ports.ops}/health/ready` : `${urlOf(name)}/health/ready`
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode} at its start`)
      return (await fetch(ready).catch(() => undefined))?.ok
    }, 60_000)
  }
  const end = async (name: Name, signal: 'SIGKILL' | 'SIGTERM') => {
    const child = running.get(name)
    child?.kill(signal)
    running.delete(name)
    return (await child?.exited) ?? 0
  }
  const onAll = (act: (line: Line) => void) => () => lines.forEach(act)

  await Promise.all(all.map(start))
  return {
    url: urlOf('gateway'),
    names: all,
    urlOf,
    mailbox,
    broker: { cut: onAll((line) => line.cut()), freeze: onAll((line) => line.freeze()), heal: onAll((line) => line.heal()) },
    brokerOf: lineOf,
    admin,
    vhost: vhost.vhost,
    encryptionKey: shared.ENCRYPTION_KEY as string,
    database,
    pidOf: (name) => running.get(name)?.pid ?? 0,
    crashed,
    start,
    kill: async (name) => void (await end(name, 'SIGKILL')),
    pause: (name) => running.get(name)?.kill('SIGSTOP'),
    resume: (name) => running.get(name)?.kill('SIGCONT'),
    terminate: (name) => end(name, 'SIGTERM'),
    stop: async () => {
      await Promise.all(all.map((name) => end(name, 'SIGKILL')))
      await mailbox.stop()
      for (const line of lines.values()) line.stop()
      await Promise.all([database.close(), vhost.close()])
    }
  }
}

const more = (name: string, count = 1) => Array.from({ length: count - 1 }, (_, index) => `${name}-${index + 2}`)
const serviceOf = (name: Name) => name.split('-')[0] as (typeof names)[number]

function atPort(address: string, port: number): string {
  const url = new URL(address)
  url.port = String(port)
  return url.href
}

const randomKey = () => Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('hex')
