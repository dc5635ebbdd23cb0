import { Type } from '@sinclair/typebox'
import { type Role, roles } from './provision.ts'
import { text, url } from './settings.ts'

/** A role's password's setting: `AUTH_OWNER_PASSWORD` for the role `auth_owner`. */
export const passwordSetting = (role: Role) => `${role.toUpperCase()}_PASSWORD`

const password = () => text({ examples: ['(openssl rand -hex 24)'] })

/** What the job that prepares the database reads: where it is, as its administrator, and the passwords that its roles get. */
export const prepareSchema = Type.Object({
  ADMIN_DATABASE_URL: url('postgres|postgresql', { examples: ['postgres://postgres:secret@postgres:5432/postgres'] }),
  DATABASE_NAME: text({ default: 'healthmed', examples: ['healthmed'] }),
  MONITOR_PASSWORD: Type.Optional(password()),
  ...Object.fromEntries(roles.map((role) => [passwordSetting(role), password()]))
})

/** Those settings, by name. */
export type PrepareSettings = Record<string, string> & { ADMIN_DATABASE_URL: string; DATABASE_NAME: string; MONITOR_PASSWORD?: string }
