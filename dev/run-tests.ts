import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrate } from '#platform/data/migrate'
import { type Passwords, provision, roles, roleUrl, schemas } from '#platform/data/provision'
import { TEMPLATE, testPassword } from '#platform/testing/testing'
import { startPostgres } from './postgres.ts'
import { run } from './process.ts'
import { startRabbit } from './rabbitmq.ts'
import { ensureRabbit } from './rabbitmq-find.ts'
import { DirectoryInUse, openRegistry, type Registry } from './registry.ts'
import { type Counts, countsOf, summary } from './test-counts.ts'

const root = join(import.meta.dir, '..')
const prefix = join(tmpdir(), 'healthmed-test-')
const TEST_TIMEOUT_MS = 30_000

/**
 * Brings up PostgreSQL and RabbitMQ in a directory of this run, runs `bun test` with them, and takes everything away again.
 * The last line printed is `N passed, N failed`. Gives the exit code, which is not 0 either where no test ran.
 */
export async function runTests(filters: string[]): Promise<number> {
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stopping.abort(signal))
  await sweep()
  const dir = mkdtempSync(prefix)
  chmodSync(dir, 0o755)
  const registry = await openRegistry(dir)
  const tidy: (() => Promise<void>)[] = []
  let counts: Counts = { passed: 0, failed: 0, skipped: 0, ok: false }
  try {
    const environment = await startParts(dir, registry, tidy)
    if (!stopping.signal.aborted) counts = await runBunTest(dir, filters, environment, stopping.signal, registry)
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    counts.failed = 1
  } finally {
    await Promise.all(tidy.map((stop) => stop()))
    registry.close()
    rmSync(dir, { recursive: true, force: true })
  }
  if (stopping.signal.aborted) console.log(`Stopped by ${stopping.signal.reason}.`)
  console.log(summary(counts))
  return counts.ok && counts.failed === 0 && counts.passed > 0 && !stopping.signal.aborted ? 0 : 1
}

/** Takes away what a run that was killed left behind. */
async function sweep(): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter((entry) => join(tmpdir(), entry).startsWith(prefix))) {
    const dir = join(tmpdir(), name)
    if (!existsSync(join(dir, 'lock.json'))) continue
    try {
      await openRegistry(dir)
      rmSync(dir, { recursive: true, force: true })
    } catch (error) {
      // a run beside this one, or another user's
      if (!(error instanceof DirectoryInUse)) continue
    }
  }
}

async function startParts(dir: string, registry: Registry, tidy: (() => Promise<void>)[]): Promise<Record<string, string>> {
  const since = performance.now()
  await ensureRabbit(join(dir, 'apt.log'), console.log, registry)
  const shared = { password: testPassword, throwaway: true, registry }
  const [postgres, rabbit] = await Promise.allSettled([
    startPostgres({ dir: join(dir, 'postgres'), ...shared }),
    startRabbit({ dir: join(dir, 'rabbitmq'), ...shared })
  ])
  for (const part of [postgres, rabbit]) if (part.status === 'fulfilled') tidy.push(part.value.stop)
  if (postgres.status === 'rejected') throw postgres.reason
  if (rabbit.status === 'rejected') throw rabbit.reason

  const passwords = Object.fromEntries(roles.map((role) => [role, testPassword])) as Passwords
  const server = postgres.value.url
  await provision(server, { database: TEMPLATE, passwords })
  for (const schema of schemas) await migrate(roleUrl(server, TEMPLATE, `${schema}_owner`, testPassword), schema)
  console.log(`PostgreSQL and RabbitMQ are up, the template is migrated (${((performance.now() - since) / 1000).toFixed(1)} s)\n`)
  return {
    TEST_POSTGRES_URL: server,
    TEST_POSTGRES_LOG: join(dir, 'postgres/postgres.log'),
    TEST_RABBITMQ_URL: rabbit.value.url,
    TEST_RABBITMQ_API: rabbit.value.api
  }
}

async function runBunTest(
  dir: string,
  filters: string[],
  environment: Record<string, string>,
  stop: AbortSignal,
  registry: Registry
): Promise<Counts> {
  const report = join(dir, 'report.xml')
  const options = [`--timeout=${TEST_TIMEOUT_MS}`, '--reporter=junit', `--reporter-outfile=${report}`]
  const tests = await run({
    name: 'bun test',
    command: [process.execPath, 'test', ...options, ...filters],
    env: { ...process.env, LOG_LEVEL: process.env.LOG_LEVEL ?? 'silent', ...environment },
    cwd: root,
    log: 'inherit',
    registry
  })
  stop.addEventListener('abort', () => void tests.stop())
  const code = await tests.exited
  // what the tests started and did not end goes with their group
  await tests.stop()
  return countsOf(existsSync(report) ? readFileSync(report, 'utf8') : '', code)
}
