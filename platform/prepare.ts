import { migrate } from './migrate.ts'
import { provisionMonitor } from './monitor.ts'
import { type PrepareSettings, passwordSetting, prepareSchema } from './prepare-settings.ts'
import { type Passwords, provision, roles, roleUrl, schemas } from './provision.ts'
import { readSettings } from './settings.ts'

/** The job that runs before the services: makes database, roles and schemas where they are missing, then brings every schema up to date. */
const settings = readSettings(prepareSchema) as PrepareSettings

const { ADMIN_DATABASE_URL: adminUrl, DATABASE_NAME: database, MONITOR_PASSWORD: monitor } = settings
const passwords = Object.fromEntries(roles.map((role) => [role, settings[passwordSetting(role)]])) as Passwords
await provision(adminUrl, { database, passwords })
for (const schema of schemas) {
  const ran = await migrate(roleUrl(adminUrl, database, `${schema}_owner`, passwords[`${schema}_owner`]), schema)
  console.log(`${schema}: ${ran.length > 0 ? `ran ${ran.length} migrations` : 'up to date'}`)
}
if (monitor) await provisionMonitor(adminUrl, monitor)
