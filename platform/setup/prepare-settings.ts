import { Type } from '@sinclair/typebox'
import { type Role, roles, type Schema, schemas } from '../data/provision.ts'
import { text, url } from './settings.ts'

/** A role's password's setting: `AUTH_OWNER_PASSWORD` for the role `auth_owner`. */
export const passwordSetting = (role: Role) => `${role.toUpperCase()}_PASSWORD`

/** The setting of a service's password at the broker: `AUTH_BROKER_PASSWORD`. */
export const brokerPasswordSetting = (schema: Schema) => `${schema.toUpperCase()}_BROKER_PASSWORD`

const NEW_PASSWORD = '(openssl rand -hex 24)'
const password = () => text({ examples: [NEW_PASSWORD] })

/** What the job that prepares the database reads: where it is, as its administrator, and the passwords that its roles get. */
export const prepareSchema = Type.Object({
  ADMIN_DATABASE_URL: url('postgres|postgresql', { examples: ['postgres://postgres:secret@postgres:5432/postgres'] }),
  DATABASE_NAME: text({ default: 'healthmed', examples: ['healthmed'] }),
  /** Names of settings that are set beside the containers though these do not use them: docker-compose.yml puts the list together. */
  UNUSED_SETTINGS: Type.Optional(text({ examples: ['(nothing)'] })),
  MONITOR_PASSWORD: Type.Optional(password()),
  /** Where given, each service gets a user of its own at the broker. */
  ADMIN_BROKER_API: Type.Optional(url('http|https', { examples: ['http://healthmed:secret@rabbitmq:15672/api'] })),
  ...Object.fromEntries(schemas.map((schema) => [brokerPasswordSetting(schema), Type.Optional(password())])),
  ...Object.fromEntries(roles.map((role) => [passwordSetting(role), password()]))
})

/** Names the passwords at the broker that are missing where its administrator is given. */
export const missingBrokerPasswords = (settings: object): string[] =>
  'ADMIN_BROKER_API' in settings
    ? schemas
        .map(brokerPasswordSetting)
        .filter((name) => !(name in settings))
        .map((name) => `${name} is missing, which ADMIN_BROKER_API needs, for example ${NEW_PASSWORD}`)
    : []

/** Names what stands in UNUSED_SETTINGS. */
export const unusedByContainers = ({ UNUSED_SETTINGS = '' }: { UNUSED_SETTINGS?: string }): string[] =>
  (UNUSED_SETTINGS.match(/\w+/g) ?? []).map(
    (name) =>
      `${name} is not used by docker compose: take it out of the environment or .env (deploy/README.md, Settings, says what to set instead)`
  )

/** Names the passwords of roles that are missing of those that are needed. */
export const missingPasswords = (needed: Role[], given: Partial<Record<Role, string>>): string[] =>
  needed.filter((role) => !given[role]).map((role) => `${passwordSetting(role)} is missing, for example ${NEW_PASSWORD}`)

/** Those settings, by name. */
export type PrepareSettings = Record<string, string> & {
  ADMIN_DATABASE_URL: string
  DATABASE_NAME: string
  MONITOR_PASSWORD?: string
  UNUSED_SETTINGS?: string
  ADMIN_BROKER_API?: string
}
