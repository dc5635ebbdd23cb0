import { migrate } from '../data/migrate.ts'
import { provisionMonitor } from '../data/monitor-role.ts'
import { type Passwords, provision, roles, roleUrl, type Schema, schemas } from '../data/provision.ts'
import { provisionBroker } from '../events/broker-users.ts'
import {
  brokerPasswordSetting,
  missingBrokerPasswords,
  type PrepareSettings,
  passwordSetting,
  prepareSchema,
  unusedByContainers
} from './prepare-settings.ts'
import { readSettings } from './settings.ts'

/**
 * The job that runs before the services: makes database, roles and schemas where they are missing, brings every schema up to date, and gives each
 * service its user at the broker.
 */
const settings = readSettings(prepareSchema, (given) => [...missingBrokerPasswords(given), ...unusedByContainers(given)]) as PrepareSettings

const { ADMIN_DATABASE_URL: adminUrl, DATABASE_NAME: database, MONITOR_PASSWORD: monitor } = settings
const passwords = Object.fromEntries(roles.map((role) => [role, settings[passwordSetting(role)]])) as Passwords
await provision(adminUrl, { database, passwords })
for (const schema of schemas) {
  const ran = await migrate(roleUrl(adminUrl, database, `${schema}_owner`, passwords[`${schema}_owner`]), schema)
  console.log(`${schema}: ${ran.length > 0 ? `ran ${ran.length} migrations` : 'up to date'}`)
}
const { ADMIN_BROKER_API: api } = settings
if (api) {
  const own = Object.fromEntries(schemas.map((schema) => [schema, settings[brokerPasswordSetting(schema)] ?? '']))
  await provisionBroker(api, own as Record<Schema, string>)
  console.log('broker: each service has its user')
}
if (monitor) await provisionMonitor(adminUrl, monitor)
