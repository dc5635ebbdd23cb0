import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrate } from '#platform/data/migrate'
import { type Passwords, provision, roles, roleUrl, schemas } from '#platform/data/provision'
import { TEMPLATE, testPassword } from '#platform/testing/testing'
import { startPostgres } from '../../dev/postgres.ts'
import type { Running } from '../../dev/process.ts'
import { startRabbit } from '../../dev/rabbitmq.ts'
import { ensureRabbit } from '../../dev/rabbitmq-find.ts'
import { openRegistry } from '../../dev/registry.ts'

/** A database server and a broker of this run's own, which can be killed and started again with what they had written. */
export type Parts = {
  crashPostgres: () => Promise<void>
  crashBroker: () => Promise<void>
  stop: () => Promise<void>
}

/** Starts both and makes the migrated template; what `platform/testing/testing.ts` needs to find them stands in the environment then. */
export async function startParts(): Promise<Parts> {
  const dir = mkdtempSync(join(tmpdir(), 'healthmed-chaos-'))
  chmodSync(dir, 0o755)
  const registry = await openRegistry(dir)
  await ensureRabbit(join(dir, 'apt.log'), console.log, registry)
  const onPostgres = { dir: join(dir, 'postgres'), password: testPassword, registry }
  const onBroker = { dir: join(dir, 'rabbitmq'), password: testPassword, registry }
  let postgres = await startPostgres(onPostgres)
  let broker = await startRabbit(onBroker)
  const { port, url } = postgres
  const ports = { port: broker.port, managementPort: broker.managementPort }

  await provision(url, { database: TEMPLATE, passwords: Object.fromEntries(roles.map((role) => [role, testPassword])) as Passwords })
  for (const schema of schemas) await migrate(roleUrl(url, TEMPLATE, `${schema}_owner`, testPassword), schema)
  Object.assign(process.env, { TEST_POSTGRES_URL: url, TEST_RABBITMQ_URL: broker.url, TEST_RABBITMQ_API: broker.api })

  const crash = async ({ pid, exited }: Running, signal: NodeJS.Signals) => {
    process.kill(pid, signal)
    await exited
  }
  return {
    // SIGQUIT is PostgreSQL's immediate stop: nothing is written any more, the next start recovers from the log
    crashPostgres: async () => {
      await crash(postgres, 'SIGQUIT')
      postgres = await startPostgres({ ...onPostgres, port })
    },
    crashBroker: async () => {
      await crash(broker, 'SIGKILL')
      await broker.portMapper.stop()
      broker = await startRabbit({ ...onBroker, ...ports })
    },
    stop: async () => {
      await registry.endAll()
      registry.close()
      rmSync(dir, { recursive: true, force: true })
    }
  }
}
