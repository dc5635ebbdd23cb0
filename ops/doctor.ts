import type { TObject } from '@sinclair/typebox'
import SQL from 'sql-template-strings'
import { connect, one, type Sql } from '#platform/data/db'
import { roleUrl } from '#platform/data/provision'
import { parseSettings, SettingsError } from '#platform/setup/settings'
import { localSystem } from '../dev/local.ts'
import { brokerOf, clockOf, connectionsOf, deliveryOf, eventsOf, extensionsOf, type Finding, keysOf, smtpOf } from './checks.ts'
import { standings } from './migrations.ts'
import { isElsewhere, type Place, placeOf } from './place.ts'
import { settingsOf } from './service-settings.ts'

type Environment = Record<string, string | undefined>

/**
 * Examines what the environment names: settings of the process in SERVICE_NAME, database, broker and mail server; where it names no database, all of the
 * system that `bun start` runs here. What is not named is left out.
 */
export async function examine(environment: Environment): Promise<Finding[]> {
  const findings: Finding[] = []
  const service = environment.SERVICE_NAME ?? ''
  const schema = Object.entries(settingsOf).find(([name]) => name === service)?.[1]
  if (schema) findings.push(...checkSettings(service, schema, environment))
  findings.push(...(await databaseOf(environment)))
  const local = isElsewhere(environment) ? undefined : localSystem(environment)
  const broker = namedOf('RABBITMQ_URL', environment) ?? local?.brokerAdminUrl
  if (broker) findings.push(...(await brokerOf(broker)))
  const smtp = namedOf('SMTP_URL', environment) ?? local?.smtpUrl
  if (smtp) findings.push(await smtpOf(smtp, namedOf('SMTP_CA', environment) ?? local?.smtpCa))
  return findings
}

function checkSettings(service: string, schema: TObject, environment: Environment): Finding[] {
  try {
    parseSettings(schema, environment)
    return [{ what: `Settings of ${service}`, right: true, found: 'each is there and valid' }]
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error
    return error.wrong.map((line) => ({
      what: `Settings of ${service}`,
      right: false,
      found: line,
      mend: 'docs/settings.md has them all.'
    }))
  }
}

async function databaseOf(environment: Environment): Promise<Finding[]> {
  let place: Place
  try {
    place = placeOf(environment)
  } catch (error) {
    const mend = "The doctor looks with an administrator's eyes: give ADMIN_DATABASE_URL, or start the system here with `bun start`."
    return [{ what: 'PostgreSQL', right: false, found: (error as Error).message, mend }]
  }
  const sql = connect(roleUrl(place.adminUrl, place.database), { name: 'ops doctor', max: 1 })
  try {
    return await databaseFindings(sql, place)
  } catch (error) {
    return [{ what: 'PostgreSQL', right: false, ...causeOf(error, place) }]
  } finally {
    await sql.end({ timeout: 2 })
  }
}

const OLDEST_VERSION = 17

async function databaseFindings(sql: Sql, place: Place): Promise<Finding[]> {
  const { version } = await one<{ version: number }>(sql, SQL`select current_setting('server_version_num')::int / 10000 as version`)
  const found: Finding[] = [
    { what: 'PostgreSQL', right: version >= OLDEST_VERSION, found: `${version}`, mend: `${OLDEST_VERSION} or later is needed.` }
  ]
  found.push(await clockOf(sql), await connectionsOf(sql), await extensionsOf(sql))
  const schemas = await standings(place)
  for (const { schema, version: at, waiting } of schemas) {
    const words = waiting.length > 0 ? `at ${at}, ${waiting.join(', ')} wait` : `at ${at}`
    found.push({ what: `Migrations of ${schema}`, right: waiting.length === 0, found: words, mend: 'Run `bun run ops migrate up`.' })
  }
  // what follows reads tables that the migrations make
  if (schemas.every(({ waiting }) => waiting.length === 0))
    found.push(await keysOf(sql), ...(await eventsOf(sql)), ...(await deliveryOf(sql)))
  return found
}

function causeOf(error: unknown, { database }: Place): { found: string; mend: string } {
  const { code, message } = error as { code?: string; message: string }
  const causes: Record<string, string> = {
    ECONNREFUSED: 'Nobody listens there: is PostgreSQL running, and are host and port right?',
    CONNECT_TIMEOUT: 'No answer: a firewall or a wrong host.',
    ENOTFOUND: 'The host is not known: a wrong name, or no name server.',
    '28P01': "The password is not the role's.",
    '28000': 'The role does not exist or may not log in (pg_hba.conf).',
    '3D000': `The database ${database} does not exist: run \`bun run ops migrate up\`, or set DATABASE_NAME.`,
    '53300': 'No connection is left: see deploy/runbooks/ConnectionsNearLimit.md.'
  }
  return { found: message || code || 'no connection', mend: causes[code ?? ''] ?? 'deploy/runbooks/DatabaseDown.md' }
}

/** A setting, or what stands in the file that `NAME_FILE` names. */
function namedOf(name: string, environment: Environment): string | undefined {
  const property = (settingsOf.notifier as TObject).properties[name]
  if (!property || !(environment[name] || environment[`${name}_FILE`])) return undefined
  return (parseSettings({ type: 'object', properties: { [name]: property } } as TObject, environment) as Record<string, string>)[name]
}
