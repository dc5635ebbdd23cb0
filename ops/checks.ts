import { connect as connectBroker } from 'amqplib'
import { createTransport } from 'nodemailer'
import SQL from 'sql-template-strings'
import { type Db, one, rows } from '#platform/data/db'
import { DEAD_LETTERS } from '#platform/events/bus'
import { smtpOptions, tlsAdvice } from '#platform/setup/smtp'

/** What was found: right or not, in words, and what to do where it is not. */
export type Finding = { what: string; right: boolean; found: string; mend?: string }

const finding = (what: string, right: boolean, found: string, mend?: string): Finding => ({
  what,
  right,
  found,
  ...(!right && mend && { mend })
})

/** The clock of the server against ours, in seconds: tokens and due times bear no more than two. */
export async function clockOf(db: Db, now: () => number = Date.now): Promise<Finding> {
  const started = now()
  const { at } = await one<{ at: Date }>(db, SQL`select clock_timestamp() as at`)
  const off = Math.abs(at.getTime() - (started + now()) / 2) / 1000
  return finding('Clock', off < 2, `${off.toFixed(1)} s from the database's`, 'Run an NTP client on every machine.')
}

/** Whether connections are left. */
export async function connectionsOf(db: Db): Promise<Finding> {
  const { used, most } = await one<{ used: number; most: number }>(
    db,
    SQL`select count(*) as used, current_setting('max_connections')::int as most from pg_stat_activity where backend_type = 'client backend'`
  )
  return finding(
    'Connections',
    used < most * 0.85,
    `${used} of ${most}`,
    'Fewer replicas, a smaller DATABASE_POOL, or pgbouncer: deploy/scaling.md.'
  )
}

/** Extensions that the schemas need. */
export async function extensionsOf(db: Db): Promise<Finding> {
  const wanted = ['btree_gist', 'pg_trgm', 'unaccent']
  const there = (await rows<{ extname: string }>(db, SQL`select extname from pg_extension`)).map(({ extname }) => extname)
  const missing = wanted.filter((name) => !there.includes(name))
  return finding(
    'Extensions',
    missing.length === 0,
    missing.length ? `missing: ${missing.join(', ')}` : wanted.join(', '),
    'Run `bun run ops migrate up`; on Debian the package is postgresql-contrib.'
  )
}

/** Events that wait to be published or to be tried again. */
export async function eventsOf(db: Db): Promise<Finding[]> {
  const outboxes = ['auth', 'scheduling'].map(async (schema) => {
    const { waiting, oldest, reason } = await one<{ waiting: number; oldest: number; reason: string | null }>(
      db,
      SQL`select count(*) as waiting, coalesce(extract(epoch from now() - min(created_at)), 0)::int as oldest, max(last_error) as reason from `
        .append(`${schema}.outbox`)
        .append(' where sent_at is null')
    )
    const found = `${waiting} wait${waiting ? `, the oldest for ${oldest} s${reason ? ` (${reason})` : ''}` : ''}`
    return finding(`Outbox of ${schema}`, oldest < 60, found, 'deploy/runbooks/OutboxStuck.md')
  })
  const inboxes = ['scheduling', 'notifier'].map(async (schema) => {
    const { waiting, reason } = await one<{ waiting: number; reason: string | null }>(
      db,
      SQL`select count(*) as waiting, max(last_error) as reason from `.append(`${schema}.inbox`).append(' where done_at is null')
    )
    return finding(
      `Inbox of ${schema}`,
      waiting === 0,
      `${waiting} wait for another try${reason ? ` (${reason})` : ''}`,
      'deploy/runbooks/DeadLetters.md: what fails ten times ends there.'
    )
  })
  return Promise.all([...outboxes, ...inboxes])
}

/** Mails that are late or failed, and dead letters. */
export async function deliveryOf(db: Db): Promise<Finding[]> {
  const mails = await one<{ late: number; failed: number }>(
    db,
    SQL`select count(*) filter (where status in ('pending', 'sending') and due_at < now() - interval '5 minutes') as late,
               count(*) filter (where status = 'failed' and created_at > now() - interval '1 day') as failed from notifier.mails`
  )
  const { dead } = await one<{ dead: number }>(db, SQL`select count(*) as dead from notifier.dead_letters`)
  return [
    finding('Mails', mails.late === 0, `${mails.late} late, ${mails.failed} failed since yesterday`, 'deploy/runbooks/MailsLate.md'),
    finding('Dead letters', dead === 0, String(dead), 'deploy/runbooks/DeadLetters.md')
  ]
}

/** Auth's signing keys. */
export async function keysOf(db: Db): Promise<Finding> {
  const { live, newest } = await one<{ live: number; newest: number }>(
    db,
    SQL`select count(*) as live, coalesce(extract(epoch from now() - max(signs_from)) / 86400, 0)::int as newest from auth.signing_keys where retired_at is null`
  )
  const found = live === 0 ? 'none' : `${live} live, the newest ${newest} days old`
  return finding(
    'Signing keys',
    live > 0 && newest < 400,
    found,
    live === 0 ? 'Auth makes the first one when it starts.' : 'Make a new one: `bun run keys rotate`.'
  )
}

/** The broker, its queues and whether somebody reads them. */
export async function brokerOf(url: string): Promise<Finding[]> {
  let connection: Awaited<ReturnType<typeof connectBroker>>
  try {
    connection = await connectBroker(url, { timeout: 5_000 })
  } catch (error) {
    return [finding('RabbitMQ', false, (error as Error).message, 'Is it running, and are the user and password of RABBITMQ_URL its own?')]
  }
  connection.on('error', () => {})
  const found = [finding('RabbitMQ', true, 'connected')]
  for (const queue of ['scheduling.events.v1', 'notifier.events.v1', DEAD_LETTERS]) {
    // a channel of its own: asking for a queue that is not there closes it
    const channel = await connection.createChannel()
    channel.on('error', () => {})
    const state = await channel.checkQueue(queue).catch(() => undefined)
    const words = state ? `${state.messageCount} ready, ${state.consumerCount} consumers` : 'not there'
    found.push(
      finding(
        `Queue ${queue}`,
        (state?.consumerCount ?? 0) > 0,
        words,
        'Its service declares and reads it: is one running? deploy/runbooks/QueueWithoutConsumers.md'
      )
    )
  }
  await connection.close()
  return found
}

/** The mail server: there, with TLS where a password is given, and letting us in. */
export async function smtpOf(url: string, ca?: string): Promise<Finding> {
  const transport = createTransport({ ...smtpOptions(url, ca), connectionTimeout: 5_000, greetingTimeout: 5_000 })
  try {
    await transport.verify()
    return finding('Mail server', true, 'there')
  } catch (error) {
    return finding('Mail server', false, (error as Error).message, tlsAdvice(error) ?? 'deploy/runbooks/SmtpDown.md')
  } finally {
    transport.close()
  }
}
