import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { schemas } from '#platform/data/provision'
import { freePort } from '#platform/setup/ports'
import { eventually, testPassword } from '#platform/testing/testing'
import { ensureProgram } from '../dev/ensure.ts'
import { asPostgres, isRoot, postgresUser } from '../dev/postgres-user.ts'

/** pgbouncer before the tests' PostgreSQL, with the settings of deploy/pgbouncer. */
export type Pooler = {
  version: string
  /** The same database by way of the pooler, as a service's setting has it. */
  through: (url: string) => string
  /** What pgbouncer says of each role's connections. */
  pools: () => Promise<Pool[]>
  stop: () => Promise<void>
}
/** How many clients share how many connections of the server's. */
export type Pool = { database: string; user: string; clients: number; servers: number; mode: string }

/** The first that knows which connection of the server's has which prepared statement. */
const KEEPS_STATEMENTS = '1.21.0'

/** Where pgbouncer is, Debian's where there was none; undefined where there is none to be had. */
export const ensurePooler = () => ensureProgram('pgbouncer', { name: 'pgbouncer', services: ['pgbouncer.service'] })

/** Starts pgbouncer before the server at `url`. */
export async function startPooler(program: string, url: string): Promise<Pooler> {
  const version = /(\d+\.\d+\.\d+)/.exec(Bun.spawnSync([program, '--version']).stdout.toString())?.[1] ?? '0.0.0'
  const prepares = Bun.semver.satisfies(version, `>=${KEEPS_STATEMENTS}`)
  const dir = mkdtempSync(join(tmpdir(), 'healthmed-pooler-'))
  const port = freePort()
  const [ini, users] = [join(dir, 'pgbouncer.ini'), join(dir, 'users.txt')]
  writeFileSync(users, schemas.map((name) => `"${name}" "${testPassword}"\n`).join(''))
  writeFileSync(ini, settingsFor({ server: new URL(url).port, port, users, prepares }))
  chmodSync(dir, 0o755)
  if (isRoot()) for (const path of [dir, ini, users]) chownSync(path, postgresUser().uid, postgresUser().gid)
  const child = Bun.spawn(await asPostgres([program, ini], [program, dir]), { stdout: 'ignore', stderr: 'ignore' })
  const console = postgres(`postgres://auth:${testPassword}@127.0.0.1:${port}/pgbouncer`, {
    max: 1,
    fetch_types: false,
    onnotice: () => {}
  })
  const pools = async () =>
    (await console.unsafe('show pools').simple()).map((pool) => ({
      database: String(pool.database),
      user: String(pool.user),
      clients: Number(pool.cl_active) + Number(pool.cl_waiting),
      servers: Number(pool.sv_active) + Number(pool.sv_idle) + Number(pool.sv_used),
      mode: String(pool.pool_mode)
    }))
  await eventually(() => pools().then(Boolean, () => false), 10_000)
  return {
    version,
    pools,
    through: (direct) => {
      const pooled = new URL(direct)
      pooled.searchParams.set('direct', pooled.host)
      if (!prepares) pooled.searchParams.set('prepare', 'false')
      pooled.port = String(port)
      return pooled.href
    },
    stop: async () => {
      await console.end({ timeout: 1 })
      child.kill()
      await child.exited
      rmSync(dir, { recursive: true, force: true })
    }
  }
}

/** deploy/pgbouncer's settings, for a server, port and users of the test's own. */
function settingsFor({ server, port, users, prepares }: { server: string; port: number; users: string; prepares: boolean }): string {
  const changes: [RegExp, string][] = [
    [/^healthmed = .*$/m, `* = host=127.0.0.1 port=${server}`],
    [/^listen_addr = .*$/m, 'listen_addr = 127.0.0.1'],
    [/^listen_port = .*$/m, `listen_port = ${port}\nunix_socket_dir =\nstats_users = auth`],
    [/^auth_file = .*$/m, `auth_file = ${users}`],
    // an older one takes no file that names what it does not know
    ...(prepares ? [] : [[/^max_prepared_statements = .*$/m, ''] as [RegExp, string]])
  ]
  let text = readFileSync(join(import.meta.dir, '../deploy/pgbouncer/pgbouncer.ini'), 'utf8')
  for (const [place, value] of changes) {
    if (!place.test(text)) throw new Error(`pgbouncer.ini has no ${place}`)
    text = text.replace(place, value)
  }
  return text
}
