import { join } from 'node:path'
import { roleUrl, type Schema } from '#platform/provision'
import { localSystem, NOBODY_HOME } from '../dev/local.ts'

/**
 * Runs what a service offers to a shell (`services/<service>/manage.ts`), where its settings are: those of the environment (a container, a cluster),
 * else those of the system that `bun start` runs here. Gives its exit code.
 */
export function manage(service: Schema, words: string[], environment: Record<string, string | undefined> = process.env): number {
  const named = environment.DATABASE_URL ?? environment.DATABASE_URL_FILE
  const { exitCode } = Bun.spawnSync([process.execPath, `services/${service}/manage.ts`, ...words], {
    cwd: join(import.meta.dir, '..'),
    env: named ? environment : { ...environment, ...settingsOf(service, environment) },
    stdout: 'inherit',
    stderr: 'inherit'
  })
  return exitCode
}

function settingsOf(service: Schema, environment: Record<string, string | undefined>): Record<string, string> {
  const local = localSystem(environment)
  if (!local) throw new Error(`${NOBODY_HOME} with the settings of its ${service}.`)
  const { adminUrl, database, brokerUrl, secrets } = local
  return {
    DATABASE_URL: roleUrl(adminUrl, database, service, secrets.rolePasswords[service]),
    RABBITMQ_URL: brokerUrl(service),
    ENCRYPTION_KEY: secrets.encryptionKey,
    INDEX_KEY: secrets.indexKey
  }
}
