import { join } from 'node:path'
import { roleUrl, type Schema } from '#platform/data/provision'
import { provisionBroker } from '#platform/events/broker-users'
import { declareQueues } from '#platform/events/bus'
import { consumers } from '#platform/events/events'
import { queueOf } from '#platform/events/inbox'
import { freePort } from '#platform/setup/ports'
import { startMailbox } from './mailbox.ts'
import { startPostgres } from './postgres.ts'
import type { Running } from './process.ts'
import { startRabbit } from './rabbitmq.ts'
import { ensureRabbit } from './rabbitmq-find.ts'
import { type BrokerData, examineBrokerData } from './rabbitmq-moved.ts'
import type { Registry } from './registry.ts'
import type { Secrets } from './secrets.ts'
import type { StartSettings } from './start-settings.ts'
import { supervise } from './supervise.ts'
import { say, step } from './terminal.ts'

/** PostgreSQL, RabbitMQ and a mail server: ours, or the ones that the settings name. */
export type Parts = {
  /** An administrator's, and the database of the system there. */
  postgresUrl: string
  database: string
  brokerUrl: (schema: Schema) => string
  brokerPage?: string
  /** What was found about the data of our own broker. */
  brokerData?: BrokerData
  smtpUrl: string
  /** Where mails can be read; undefined where they go to a server that is not ours. */
  mailboxUrl?: string
}

const DATABASE = 'healthmed'

/** Starts, all at once, what the settings do not give, and keeps it running. */
export async function startParts(settings: StartSettings, secrets: Secrets, registry: Registry, stopping: AbortSignal): Promise<Parts> {
  const keep = <Part extends Running>(label: string, start: () => Promise<Part>, remark: (part: Part) => string) =>
    step(label, start, remark).then((part) => {
      supervise(part, start, stopping)
      return part
    })
  const dir = (name: string) => join(settings.DATA_DIR, name)
  if (!settings.RABBITMQ_URL) await ensureRabbit(dir('logs/apt.log'), say, registry)
  const outcomes = await Promise.allSettled([
    settings.POSTGRES_URL ? givenPostgres(settings.POSTGRES_URL) : ownPostgres(dir('postgres'), secrets, registry, keep),
    settings.RABBITMQ_URL ? givenRabbit(settings.RABBITMQ_URL) : ownRabbit(dir('rabbitmq'), secrets, registry, keep),
    settings.SMTP_URL ? { smtpUrl: settings.SMTP_URL } : ownMailbox(dir('mailbox'), settings.MAILBOX_PORT, registry, keep)
  ])
  // all have come to an end before the first failure is told, so none is started after the others were stopped
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  return Object.assign({}, ...outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : {}))) as Parts
}

type Keep = <Part extends Running>(label: string, start: () => Promise<Part>, remark: (part: Part) => string) => Promise<Part>

async function ownPostgres(dir: string, { postgresPassword }: Secrets, registry: Registry, keep: Keep) {
  const port = freePort()
  const start = () => startPostgres({ dir, port, password: postgresPassword, registry })
  const { url } = await keep('PostgreSQL 18 (embedded)', start, () => `127.0.0.1:${port}`)
  return { postgresUrl: url, database: DATABASE }
}

async function ownRabbit(dir: string, secrets: Secrets, registry: Registry, keep: Keep) {
  const [port, managementPort] = [freePort(), freePort()]
  const brokerData = examineBrokerData(dir)
  const start = () => startRabbit({ dir, port, managementPort, password: secrets.rabbitPassword, registry })
  const { api, url } = await keep('RabbitMQ (private node)', start, () => `127.0.0.1:${port}`)
  await provisionBroker(api, secrets.brokerPasswords)
  await declareQueues(
    url,
    Object.entries(consumers).map(([service, types]) => queueOf(service, types))
  )
  const brokerUrl = (schema: Schema) => `amqp://${schema}:${secrets.brokerPasswords[schema]}@127.0.0.1:${port}`
  return { brokerUrl, brokerData, brokerPage: `http://localhost:${managementPort}` }
}

async function ownMailbox(dir: string, port: number, registry: Registry, keep: Keep) {
  const smtpPort = freePort()
  const { url, smtpUrl } = await keep(
    'Mailbox',
    () => startMailbox({ dir, port, smtpPort, registry }),
    (mailbox) => mailbox.url
  )
  return { smtpUrl, mailboxUrl: url }
}

/** The server's own database is not for us to fill: then, and where none is named, it is `healthmed`. */
async function givenPostgres(url: string) {
  const named = decodeURIComponent(new URL(url).pathname.slice(1))
  return { postgresUrl: roleUrl(url, 'postgres'), database: named === '' || named === 'postgres' ? DATABASE : named }
}

async function givenRabbit(url: string) {
  return { brokerUrl: () => url }
}
