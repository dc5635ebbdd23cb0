import SQL from 'sql-template-strings'
import { connect, rows, run, type Sql } from '#platform/data/db'
import type { System } from '../system.ts'
import type { Outcome } from './load.ts'
import type { Sink } from './sink.ts'

/** What is counted in the end; everything but `copies` must be 0. */
export type Verdict = {
  bookingsMissing: number
  overlaps: number
  withoutBothMails: number
  mailsWithoutBooking: number
  copiesWithAnotherId: number
  unfinished: number
  copies: number
}

const count = async (db: Sql, statement: ReturnType<typeof SQL>) => (await rows<{ count: number }>(db, statement))[0]?.count ?? 0

/** What has not come to its end, in outboxes, inboxes and mails. */
const unfinished = (db: Sql) =>
  count(
    db,
    SQL`select (select count(*) from auth.outbox where sent_at is null) + (select count(*) from scheduling.outbox where sent_at is null)
             + (select count(*) from scheduling.inbox where done_at is null) + (select count(*) from notifier.inbox where done_at is null)
             + (select count(*) from notifier.mails where status in ('pending', 'sending')) as count`
  )

/**
 * Makes emails that the broken SMTP server refused due at once. Their retry schedule waits up to six hours, which is longer than a run: the verdict would
 * depend on how often the seed broke SMTP, and not on whether anything was lost.
 */
const retryRefusedMails = (db: Sql) =>
  run(db, SQL`update notifier.mails set due_at = now() where status = 'pending' and attempts > 0 and due_at > now()`)

/** Compares sets: what was acknowledged, what the database holds, what the mail server took. Waits until all is drained, at most `limitMs`. */
export async function check(system: System, outcome: Outcome, sink: Sink, limitMs: number): Promise<Verdict> {
  const db = connect(system.database.adminUrl, { name: 'check', max: 2, statementTimeoutMs: 60_000 })
  try {
    const until = performance.now() + limitMs
    let quiet = 0
    // twice in a row: a message may be in a queue between two of these tables
    while (performance.now() < until && quiet < 3) {
      await retryRefusedMails(db)
      quiet = (await unfinished(db)) === 0 ? quiet + 1 : 0
      await Bun.sleep(1_000)
    }
    const bookings = await rows<{ id: string; parties: string[] }>(
      db,
      SQL`select a.id, array[d.email, p.email] as parties from scheduling.appointments a
            join auth.users d on d.id = a.doctor_id join auth.users p on p.id = a.patient_id`
    )
    const known = new Set(bookings.map(({ id }) => id))
    const about = new Map<string, Set<string>>()
    for (const { appointmentId, to } of sink.mails) {
      if (appointmentId) about.set(appointmentId, (about.get(appointmentId) ?? new Set()).add(to))
    }
    const told = sink.mails.filter(({ appointmentId }) => appointmentId)
    const perRecipient = Map.groupBy(told, ({ appointmentId, to }) => `${appointmentId} ${to}`)
    const copied = [...perRecipient.values()].filter((mails) => mails.length > 1)
    return {
      bookingsMissing: [...outcome.acknowledged].filter((id) => !known.has(id)).length,
      overlaps: await count(
        db,
        SQL`select count(*) as count from scheduling.appointments a join scheduling.appointments b on a.id < b.id and a.during && b.during
             and (a.doctor_id = b.doctor_id or a.patient_id = b.patient_id)
           where a.status in ('requested', 'confirmed') and b.status in ('requested', 'confirmed')`
      ),
      withoutBothMails: bookings.filter(({ id, parties }) => !parties.every((email) => about.get(id)?.has(email))).length,
      mailsWithoutBooking: told.filter(({ appointmentId }) => !known.has(appointmentId ?? '')).length,
      // only one mail is sent of each booking here: its request
      copiesWithAnotherId: copied.filter((mails) => new Set(mails.map(({ messageId }) => messageId)).size > 1).length,
      unfinished: await unfinished(db),
      copies: copied.reduce((sum, mails) => sum + mails.length - 1, 0)
    }
  } finally {
    await db.end({ timeout: 2 })
  }
}
