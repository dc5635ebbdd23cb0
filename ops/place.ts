import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Type } from '@sinclair/typebox'
import { type PrepareSettings, passwordSetting, prepareSchema } from '#platform/prepare-settings'
import { type Passwords, roles, roleUrl } from '#platform/provision'
import { parseSettings, text } from '#platform/settings'
import { readSecrets } from '../dev/secrets.ts'

/** Where the database of the system is, as its administrator sees it, and the passwords of its roles where they are known. */
export type Place = { adminUrl: string; database: string; passwords: Partial<Passwords> }

// a backup needs no password of a role
const schema = Type.Object({
  ...prepareSchema.properties,
  ...Object.fromEntries(roles.map((role) => [passwordSetting(role), Type.Optional(text())]))
})

/**
 * The place that the environment names, with the settings of the migrating job; else the system that `bun start` runs here.
 * Throws where there is neither, and where a setting is wrong.
 */
export function placeOf(environment: Record<string, string | undefined>): Place {
  if (!environment.ADMIN_DATABASE_URL && !environment.ADMIN_DATABASE_URL_FILE) return localPlace(environment)
  const settings = parseSettings(schema, environment) as PrepareSettings
  const passwords = Object.fromEntries(
    roles.flatMap((role) => (settings[passwordSetting(role)] ? [[role, settings[passwordSetting(role)]]] : []))
  )
  return { adminUrl: settings.ADMIN_DATABASE_URL, database: settings.DATABASE_NAME, passwords }
}

function localPlace({ DATA_DIR = '.data', POSTGRES_URL }: Record<string, string | undefined>): Place {
  const dir = resolve(DATA_DIR)
  const secrets = readSecrets(dir)
  // a running server writes its port on the fourth line of its pid file
  const pidFile = join(dir, 'postgres', 'data', 'postmaster.pid')
  if (!secrets || !(POSTGRES_URL || existsSync(pidFile))) {
    throw new Error('No system runs here. Start one with `bun start`, or name the one that is meant with ADMIN_DATABASE_URL.')
  }
  if (POSTGRES_URL)
    return { adminUrl: roleUrl(POSTGRES_URL, 'postgres'), database: databaseOf(POSTGRES_URL), passwords: secrets.rolePasswords }
  const port = readFileSync(pidFile, 'utf8').split('\n')[3]
  const adminUrl = `postgres://postgres:${secrets.postgresPassword}@127.0.0.1:${port}/postgres`
  return { adminUrl, database: 'healthmed', passwords: secrets.rolePasswords }
}

/** As `bun start` has it: the server's own database is not for us to fill. */
function databaseOf(postgresUrl: string): string {
  const named = decodeURIComponent(new URL(postgresUrl).pathname.slice(1))
  return named === '' || named === 'postgres' ? 'healthmed' : named
}
