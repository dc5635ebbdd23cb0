import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Type } from '@sinclair/typebox'
import { type Passwords, type Role, roles, roleUrl } from '#platform/provision'
import { parseSettings, text, url } from '#platform/settings'
import { readSecrets } from '../dev/secrets.ts'

/** Where the database of the system is, as its administrator sees it, and the passwords of its roles where they are known. */
export type Place = { adminUrl: string; database: string; passwords: Partial<Passwords> }

const settingOf = (role: Role) => `${role.toUpperCase()}_PASSWORD`

const schema = Type.Object({
  ADMIN_DATABASE_URL: url('postgres|postgresql', { examples: ['postgres://postgres:secret@postgres:5432/postgres'] }),
  DATABASE_NAME: text({ default: 'healthmed' }),
  ...Object.fromEntries(roles.map((role) => [settingOf(role), Type.Optional(text({ examples: ['(openssl rand -hex 24)'] }))]))
})

/**
 * The place that the environment names, with the settings of the migrating job; else the system that `bun start` runs here.
 * Throws where there is neither, and where a setting is wrong.
 */
export function placeOf(environment: Record<string, string | undefined>): Place {
  if (!environment.ADMIN_DATABASE_URL && !environment.ADMIN_DATABASE_URL_FILE) return localPlace(environment)
  const settings = parseSettings(schema, environment) as Record<string, string> & { ADMIN_DATABASE_URL: string; DATABASE_NAME: string }
  const passwords = Object.fromEntries(roles.flatMap((role) => (settings[settingOf(role)] ? [[role, settings[settingOf(role)]]] : [])))
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
