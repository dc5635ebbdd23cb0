import { accessSync, constants, existsSync, mkdirSync } from 'node:fs'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { FormatRegistry, type Static, type TProperties, type TSchema, Type } from '@sinclair/typebox'
import { prepareSchema } from '#platform/setup/prepare-settings'
import { emailAddress, oneOf, publicUrl, readSettings, text, url, whole } from '#platform/setup/settings'
import { smtpCa, smtpUrl } from '#platform/setup/smtp'
import { settingsOf } from '../ops/service-settings.ts'

/** The four processes of the product. */
export type Name = keyof typeof settingsOf

// no name: some shells export HOST as the name of the machine
FormatRegistry.Set('address', (value) => isIP(value) !== 0)

/** What `bun start` reads for itself, or with another default than the process that it is for. */
const ownSettings = {
  PORT: whole(1, 65535, { default: 8080, examples: [8080] }),
  MAILBOX_PORT: whole(1, 65535, { default: 1080, examples: [1080] }),
  HOST: Type.String({ format: 'address', default: '127.0.0.1', examples: ['0.0.0.0'] }),
  DATA_DIR: text({ default: '.data', examples: ['/var/lib/healthmed'] }),
  POSTGRES_URL: Type.Optional(url('postgres|postgresql', { examples: ['postgres://admin:secret@localhost:5432/healthmed'] })),
  RABBITMQ_URL: Type.Optional(url('amqp|amqps', { examples: ['amqp://user:secret@localhost:5672'] })),
  SMTP_URL: Type.Optional(smtpUrl()),
  SMTP_CA: Type.Optional(smtpCa()),
  PUBLIC_URL: Type.Optional(publicUrl()),
  OPS_PORT: Type.Optional(whole(1, 65535, { examples: [9090] })),
  DEMO_DATA: oneOf(['on', 'off'], 'on'),
  ADMIN_EMAIL: emailAddress({ default: 'admin@healthmed.example' }),
  ADMIN_PASSWORD: Type.Optional(text({ minLength: 12, examples: ['(12 characters or more)'] })),
  LOGS: oneOf(['files', 'stdout'], 'files')
}

const startedHere = '`bun start` starts the services and knows where they are'
const kept = 'it is made at the first start and kept in DATA_DIR/secrets.json'
const ofContainers = 'it is for docker compose and Kubernetes; `bun start` makes and keeps its own (DATA_DIR/secrets.json)'

/** Settings of the services that `bun start` works out for them, and so does not read: why, or what to set instead. */
const workedOut: Record<string, string> = {
  DATABASE_URL: 'set POSTGRES_URL to use a PostgreSQL server of your own',
  AUTH_URL: startedHere,
  SCHEDULING_URL: startedHere,
  NOTIFIER_URL: startedHere,
  ENCRYPTION_KEY: kept,
  INDEX_KEY: kept,
  EVENT_KEY: kept,
  AUTH_EVENT_KEY: kept,
  SCHEDULING_EVENT_KEY: kept
}

/** Settings of docker-compose.yml alone, and what to set instead. */
export const composeOnly: Record<string, string> = {
  GATEWAY_PORTS: 'it is for docker compose; set PORT',
  BACKUP_DIR: 'it is for docker compose; `bun run ops backup DIR` takes the folder',
  SMTP_URL_SECRET: 'it is for docker compose; set SMTP_URL_FILE',
  SMTP_CA_SECRET: 'it is for docker compose; set SMTP_CA_FILE',
  PROMETHEUS_PORT: 'it is for docker compose',
  ALERTMANAGER_PORT: 'it is for docker compose',
  GRAFANA_PORT: 'it is for docker compose'
}

/** Of the gateway alone: the services listen on this machine, and believe the gateways of this machine. */
const ofTheGateway = ['PORT', 'HOST', 'OPS_PORT', 'TRUSTED_PROXIES']

/** The settings that a process gets as they were given to `bun start`: every one of its schema, but for those that are worked out. */
const passedOn = (name: Name): [string, TSchema][] =>
  Object.entries<TSchema>(settingsOf[name].properties).filter(
    ([setting]) => !(setting in workedOut) && (name === 'gateway' || !ofTheGateway.includes(setting))
  )

/** Every setting of `bun start`: its own, and those of the processes that it passes on. */
export const startSchema = Type.Object({
  ...(Object.fromEntries((Object.keys(settingsOf) as Name[]).flatMap(passedOn).map(([name, schema]) => [name, schema])) as TProperties),
  ...ownSettings
})

const unused: Record<string, string> = {
  ...Object.fromEntries(Object.keys(prepareSchema.properties).map((name) => [name, ofContainers])),
  ADMIN_DATABASE_URL: 'set POSTGRES_URL to use a PostgreSQL server of your own',
  DATABASE_NAME: 'name the database in POSTGRES_URL',
  ...workedOut,
  ...composeOnly
}

/** Names the settings of this product that are set though `bun start` does not use them. Names of other programs are none of its business. */
export const unusedSettings = (environment: Record<string, string | undefined>): string[] =>
  Object.entries(unused).flatMap(([name, instead]) =>
    [name, `${name}_FILE`].filter((given) => environment[given]).map((given) => `${given} is not used by \`bun start\`: ${instead}`)
  )

/** What `bun start` reads from the environment. */
export type StartSettings = Static<ReturnType<typeof Type.Object<typeof ownSettings>>> & Record<string, unknown>

/** The settings of `bun start`, `DATA_DIR` made absolute from where it was called. Ends the process where one is wrong. */
export function startSettings(): StartSettings {
  const dirTrouble = (given: object) => dataDirTrouble(resolve((given as StartSettings).DATA_DIR))
  const settings = readSettings(startSchema, dirTrouble, [...unusedSettings(process.env), ...dotEnvTrouble()]) as StartSettings
  return { ...settings, DATA_DIR: resolve(settings.DATA_DIR) }
}

/** What a process gets of the settings of `bun start`, as its environment. */
export const environmentFor = (name: Name, settings: StartSettings): Record<string, string> =>
  Object.fromEntries(passedOn(name).flatMap(([setting]) => (settings[setting] === undefined ? [] : [[setting, String(settings[setting])]])))

/** Bun reads `.env` for this command, and says nothing where it may not. */
function dotEnvTrouble(): string[] {
  if (!existsSync('.env')) return []
  try {
    accessSync('.env', constants.R_OK)
    return []
  } catch {
    return ['.env cannot be read by this user: its settings would be ignored']
  }
}

function dataDirTrouble(dir: string): string[] {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o755 })
    accessSync(dir, constants.R_OK | constants.W_OK | constants.X_OK)
    return []
  } catch (error) {
    return [`DATA_DIR is not a directory that this user can write to (${(error as { code?: string }).code}), for example .data`]
  }
}
