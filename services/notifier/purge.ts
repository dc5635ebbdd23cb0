import SQL from 'sql-template-strings'
import { one, type Sql } from '#platform/data/db'
import { describeError, log } from '#platform/setup/log'

/** How long the notifier keeps what is kept for a time. */
export type Retention = { emailDays: number }

const EVERY_MS = 10 * 60_000
const BATCH = 500
/** A mail that has not left is kept, whatever its age. */
const OVER = ['sent', 'failed', 'superseded']

/** Deletes emails and their delivery log when their time is over. Any replica may, at any time. */
export function startPurging(sql: Sql, clock: () => Temporal.Instant, retention: Retention) {
  const purge = () => purgeEmails(sql, clock(), retention).catch((error) => log.warn(describeError(error), 'purging failed'))
  const timer = setInterval(purge, EVERY_MS)
  return { stop: () => clearInterval(timer) }
}

/** See `startPurging`. Only the oldest few of each status are looked at, by the index of status and id, which rises with time. */
export async function purgeEmails(sql: Sql, now: Temporal.Instant, { emailDays }: Retention): Promise<void> {
  const before = new Date(now.subtract({ hours: emailDays * 24 }).epochMilliseconds)
  for (const status of OVER) for (let deleted = BATCH; deleted === BATCH; ) deleted = await purgeBatch(sql, status, before)
}

const purgeBatch = async (sql: Sql, status: string, before: Date): Promise<number> =>
  (
    await one<{ deleted: number }>(
      sql,
      SQL`with oldest as materialized (select id, created_at from mails where status = ${status} order by id limit ${BATCH}),
               held as materialized (
                 select id from mails where id in (select id from oldest where created_at < ${before}) and status = ${status}
                  order by id for update skip locked),
               gone as (delete from mails where id in (select id from held) returning 1)
          select count(*) as deleted from gone`
    )
  ).deleted
