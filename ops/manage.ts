import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { roleUrl, type Schema } from '#platform/data/provision'
import { localSystem, NOBODY_HOME } from '../dev/local.ts'
import { keySettings } from '../dev/secrets.ts'

/**
 * Runs what a service offers to a shell (`services/<service>/manage.ts`), where its settings are: those of the environment (a container, a cluster),
 * else those of the system that `bun start` runs here. Gives its exit code.
 */
export function manage(service: Schema, words: string[], environment: Record<string, string | undefined> = process.env): number {
  const root = join(import.meta.dir, '..')
  const program = `services/${service}/manage.ts`
  // an image holds one service, and the keys of a service are in no other container
  if (!existsSync(join(root, program))) {
    const line = `bun ${program} ${words.join(' ')}`
    throw new Error(
      `This is done where ${service} runs, with its own settings:\n  docker compose exec ${service} ${line}\n  kubectl -n healthmed exec deploy/${service} -- ${line}`
    )
  }
  const named = environment.DATABASE_URL ?? environment.DATABASE_URL_FILE
  const { exitCode } = Bun.spawnSync([process.execPath, program, ...words], {
    cwd: root,
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
    ...keySettings(service, secrets)
  }
}
