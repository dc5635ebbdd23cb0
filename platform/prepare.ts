import { Type } from '@sinclair/typebox'
import { migrate } from './migrate.ts'
import { provisionMonitor } from './monitor.ts'
import { type Passwords, provision, type Role, roles, roleUrl, schemas } from './provision.ts'
import { readSettings, text, url } from './settings.ts'

/** A password's setting: `AUTH_OWNER_PASSWORD` for the role `auth_owner`. */
const settingOf = (role: Role) => `${role.toUpperCase()}_PASSWORD`

/** The job that runs before the services: makes database, roles and schemas where they are missing, then brings every schema up to date. */
const settings = readSettings(
  Type.Object({
    ADMIN_DATABASE_URL: url('postgres|postgresql', { examples: ['postgres://postgres:secret@postgres:5432/postgres'] }),
    DATABASE_NAME: text({ default: 'healthmed' }),
    MONITOR_PASSWORD: Type.Optional(text({ examples: ['(openssl rand -hex 24)'] })),
    ...Object.fromEntries(roles.map((role) => [settingOf(role), text({ examples: ['(openssl rand -hex 24)'] })]))
  })
) as Record<string, string> & { ADMIN_DATABASE_URL: string; DATABASE_NAME: string; MONITOR_PASSWORD?: string }

const { ADMIN_DATABASE_URL: adminUrl, DATABASE_NAME: database, MONITOR_PASSWORD: monitor } = settings
const passwords = Object.fromEntries(roles.map((role) => [role, settings[settingOf(role)]])) as Passwords
await provision(adminUrl, { database, passwords })
for (const schema of schemas) {
  const ran = await migrate(roleUrl(adminUrl, database, `${schema}_owner`, passwords[`${schema}_owner`]), schema)
  console.log(`${schema}: ${ran.length > 0 ? `ran ${ran.length} migrations` : 'up to date'}`)
}
if (monitor) await provisionMonitor(adminUrl, monitor)
