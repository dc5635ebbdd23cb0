import { Type } from '@sinclair/typebox'
import { type Passwords, roles } from '#platform/data/provision'
import { type PrepareSettings, passwordSetting, prepareSchema } from '#platform/setup/prepare-settings'
import { parseSettings, text } from '#platform/setup/settings'
import { localSystem, NOBODY_HOME } from '../dev/local.ts'

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
  if (!isElsewhere(environment)) return localPlace(environment)
  const settings = parseSettings(schema, environment) as PrepareSettings
  const passwords = Object.fromEntries(
    roles.flatMap((role) => (settings[passwordSetting(role)] ? [[role, settings[passwordSetting(role)]]] : []))
  )
  return { adminUrl: settings.ADMIN_DATABASE_URL, database: settings.DATABASE_NAME, passwords }
}

/** Whether the environment names a database, so that the system of this machine is not meant. */
export const isElsewhere = ({ ADMIN_DATABASE_URL, ADMIN_DATABASE_URL_FILE }: Record<string, string | undefined>): boolean =>
  Boolean(ADMIN_DATABASE_URL || ADMIN_DATABASE_URL_FILE)

function localPlace(environment: Record<string, string | undefined>): Place {
  const local = localSystem(environment)
  if (!local) throw new Error(`${NOBODY_HOME} with ADMIN_DATABASE_URL.`)
  return { adminUrl: local.adminUrl, database: local.database, passwords: local.secrets.rolePasswords }
}
