import SQL from 'sql-template-strings'
import { connect, type Db, rows, run } from '#platform/data/db'
import { roleUrl } from '#platform/data/provision'
import { consumers } from '#platform/events/events'
import { queueOf } from '#platform/events/inbox'
import type { Place } from './place.ts'

/** How many events go out again, how many cannot, and whether auth has to tell everybody's state anew (`republish users`). */
export type Republished = { events: number; lost: number; needsUsers: boolean }

const publishers = ['auth', 'scheduling']

/**
 * Only events that were sent within so many days. While services run, an inbox may forget an id a moment before the outbox purges its event, after a long
 * standstill; what lies within 14 days is remembered for certain. Null where no service runs, and so none forgets.
 */
type Within = number | null
/** See `Within`. */
export const WHILE_SERVICES_RUN = 14

/**
 * Puts those sent events back in line that some service has neither handled, nor keeps for another try, nor has among the dead letters. For a broker that
 * lost its data. The outbox keeps an event for 14 days and the inbox its id for 30, so nothing that had its effect is published again; where it is,
 * because it is on its way in the broker, its consumer knows it the second time.
 */
export async function republishEvents({ adminUrl, database }: Place, within: Within = null): Promise<Republished> {
  const sql = connect(roleUrl(adminUrl, database), { name: 'ops republish', max: 1, statementTimeoutMs: 600_000 })
  try {
    return (await sql.begin((tx) => republishIn(tx, within))) as Republished
  } finally {
    await sql.end({ timeout: 5 })
  }
}

async function republishIn(db: Db, within: Within): Promise<Republished> {
  const total: Republished = { events: 0, lost: 0, needsUsers: false }
  for (const publisher of publishers) {
    const { lost, users } = await settleForgotten(db, publisher)
    total.lost += lost
    total.needsUsers ||= users
    total.events += await run(
      db,
      SQL`update `
        .append(`${publisher}.outbox o`)
        .append(SQL` set sent_at = null, lease_token = null, lease_until = null, last_error = null, attempts = 0
                      where sent_at is not null and (${within}::int is null or sent_at > now() - make_interval(days => ${within}::int)) and not (`)
        .append(FORGOTTEN)
        .append(SQL`) and (`)
        .append(lacking())
        .append(SQL`)`)
    )
  }
  return total
}

// the parts below are constants of this file, none comes from outside
const FORGOTTEN = `o.data = jsonb_build_object('id', o.subject) and o.type not in ('healthmed.doctor.approved.v1')`

/** SQL that is true for an event of `o` which a service that reads its type lacks. */
const lacking = (): string =>
  Object.entries(consumers)
    .map(
      ([service, types]) => `o.type in (${types.map((type) => `'${type}'`).join(', ')})
        and not exists (select 1 from ${service}.inbox i where i.event_id = o.id)
        and not exists (select 1 from notifier.dead_letters d where d.message_id = o.id::text and d.queue = '${queueOf(service, []).queue}')`
    )
    .map((condition) => `(${condition})`)
    .join(' or ')

/**
 * Releases up to 0.1 blanked an event of auth once it was sent. What such an event said of a person is told anew from the account; an erasure needs no
 * more than the id; a link or a notice is lost, and the person can ask for another.
 */
async function settleForgotten(db: Db, publisher: string): Promise<{ lost: number; users: boolean }> {
  const blank = await rows<{ type: string; count: number }>(
    db,
    SQL`select type, count(*)::int as count from `
      .append(`${publisher}.outbox o`)
      .append(SQL` where sent_at is not null and `)
      .append(FORGOTTEN)
      .append(SQL` and (`)
      .append(lacking())
      .append(SQL`) group by type`)
  )
  const countOf = (...types: string[]) => blank.filter(({ type }) => types.includes(type)).reduce((sum, { count }) => sum + count, 0)
  const erased = countOf('healthmed.user.erased.v1')
  const users = countOf('healthmed.user.registered.v1', 'healthmed.user.updated.v1')
  if (erased > 0)
    await run(
      db,
      SQL`update `
        .append(`${publisher}.outbox o`)
        .append(SQL` set data = data || '{"role": "patient", "version": 2147483647}' where type = 'healthmed.user.erased.v1' and `)
        .append(FORGOTTEN)
    )
  const all = blank.reduce((sum, { count }) => sum + count, 0)
  return { lost: all - erased - users, users: users > 0 }
}
