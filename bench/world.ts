import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type Sql } from '#platform/data/db'
import { openKeyRing } from '#platform/data/key-ring'
import { roleUrl, type Schema } from '#platform/data/provision'
import { freePort } from '#platform/setup/ports'
import { type Local, localSystem } from '../dev/local.ts'
import { sealOf } from '../services/auth/privacy/seal.ts'
import { openKeys } from '../services/auth/tokens/keys.ts'
import { type Sink, startSink } from './sink.ts'

const names = ['auth', 'scheduling', 'notifier', 'gateway'] as const

/** A system as `bun start` runs it, on ports and in a directory of its own, with its mails going into a sink. */
export type World = {
  url: string
  dir: string
  sink: Sink
  local: Local
  /** The database as a role of the product, or as its administrator. */
  sql: (who: Schema | 'admin') => Sql
  databaseUrl: string
  /** Access tokens, good for ten minutes, signed as auth signs them. */
  tokens: (ids: string[], role?: 'patient' | 'doctor') => Promise<string[]>
  /** Resident memory of the four processes, in bytes. */
  memory: () => Record<string, number>
  pidOf: (name: string) => number
  urlOf: (name: string) => string
  stop: () => Promise<void>
}

/** Starts it; ready in some ten seconds. `settings` are added to those of a load test. */
export async function startWorld(settings: Record<string, string> = {}): Promise<World> {
  const dir = mkdtempSync(join(tmpdir(), 'healthmed-bench-'))
  const sink = await startSink()
  const port = freePort()
  const env = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    PORT: String(port),
    MAILBOX_PORT: String(freePort()),
    DATA_DIR: dir,
    SMTP_URL: sink.url,
    DEMO_DATA: 'off',
    RATE_LIMIT: 'off',
    EMAIL_VERIFICATION: 'optional',
    DOCTOR_APPROVAL: 'auto',
    LOG_LEVEL: 'warn',
    ...settings
  }
  const child = Bun.spawn([process.execPath, 'dev/start.ts'], { cwd: join(import.meta.dir, '..'), env, stdout: 'pipe', stderr: 'inherit' })
  const said = await untilReady(child.stdout)
  const local = localSystem(env)
  if (!local) throw new Error(`the system did not start:\n${said}`)
  const sqls = new Map<string, Sql>()
  const sql = (who: Schema | 'admin') => {
    const url =
      who === 'admin'
        ? roleUrl(local.adminUrl, local.database)
        : roleUrl(local.adminUrl, local.database, who, local.secrets.rolePasswords[who])
    if (!sqls.has(who)) sqls.set(who, connect(url, { name: 'bench', max: 4, statementTimeoutMs: 900_000 }))
    return sqls.get(who) as Sql
  }
  const urls = Object.fromEntries([...said.matchAll(/✓ (\w+) .*?(http:\/\/\S+)/g)].map(([, name, url]) => [name?.toLowerCase(), url]))
  return {
    url: `http://127.0.0.1:${port}`,
    dir,
    sink,
    local,
    sql,
    databaseUrl: roleUrl(local.adminUrl, local.database),
    tokens: (ids, role = 'patient') => sign(sql('auth'), local, ids, role),
    memory: () => Object.fromEntries(names.map((name) => [name, residentOf(pidOf(dir, name))])),
    pidOf: (name) => pidOf(dir, name),
    urlOf: (name) => urls[name] ?? '',
    stop: async () => {
      await Promise.all([...sqls.values()].map((each) => each.end({ timeout: 1 })))
      child.kill('SIGTERM')
      await child.exited
      await sink.stop()
      rmSync(dir, { recursive: true, force: true })
    }
  }
}

/** Has PostgreSQL do at once what it would do in the background within the next minutes, so that no measurement pays for what was done before it. */
export async function tidy(world: World): Promise<void> {
  for (const statement of ['vacuum (analyze)', 'checkpoint']) await world.sql('admin').unsafe(statement)
}

async function untilReady(output: ReadableStream<Uint8Array>): Promise<string> {
  let said = ''
  const reader = output.getReader()
  for (;;) {
    const { value, done } = await reader.read()
    if (value) said += Buffer.from(value).toString()
    if (done || said.includes('Ready after')) break
  }
  // what it says later is of no interest, but must be taken
  void (async () => {
    while (!(await reader.read()).done);
  })()
  return said
}

async function sign(sql: Sql, { secrets }: Local, ids: string[], role: 'patient' | 'doctor'): Promise<string[]> {
  const now = Temporal.Now.instant()
  const ring = await openKeyRing(sql, secrets.encryptionKey, () => now)
  ring.stop()
  const keys = await openKeys(sql, sealOf(ring, secrets.indexKey, secrets.eventKeys.auth), () => now)
  keys.stop()
  const tokens: string[] = []
  for (const id of ids) {
    const account = { id, role, name: 'Bench', emailVerified: true } as Parameters<typeof keys.accessToken>[0]
    tokens.push(await keys.accessToken(account, crypto.randomUUID(), now))
  }
  return tokens
}

/** As the registry of `bun start` has it. */
function pidOf(dir: string, name: string): number {
  const processes = JSON.parse(readFileSync(join(dir, 'processes.json'), 'utf8')) as { name: string; pid: number }[]
  return processes.find((process) => process.name === name)?.pid ?? 0
}

const residentOf = (pid: number) => Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
