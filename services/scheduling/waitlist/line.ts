import SQL from 'sql-template-strings'
import { type Db, maybeOne, one, rows, run, type Sql, transaction } from '#platform/data/db'
import { cursorsOf } from '#platform/http/cursor'
import { Problem } from '#platform/http/problem'
import { dateOf, instantText, invalid } from '#platform/http/schema'
import type { Caller } from '#platform/identity/caller'
import type { BookingRules } from '../appointments/book.ts'
import { lockClaims } from '../appointments/queries.ts'
import { CLAIMS_PER_CLIENT, claimsOfClient, limitProblem } from '../claims/limits.ts'
import { checkActive, requireActive } from '../people/active.ts'
import { requireVerified } from '../people/verified.ts'
import { passOn } from './offer.ts'

type Row = {
  id: string
  doctorId: string
  from: string
  to: string
  status: string
  createdAt: Date
  offerStart: Date | null
  offerUntil: Date | null
  holdId: string | null
}

const entryOf = ({ createdAt, offerStart, offerUntil, holdId, ...row }: Row) => ({
  ...row,
  createdAt: instantText(createdAt),
  ...(offerStart && offerUntil && holdId && { offer: { holdId, start: instantText(offerStart), expiresAt: instantText(offerUntil) } })
})

const cursors = cursorsOf('waitlist', 'uuid')
const MAX_ENTRIES = 10
const MAX_DAYS = 90

/** A wish to wait for a doctor, from one date to another. */
type Wish = { doctorId: string; from: string; to: string }

/**
 * Joins the line for a doctor's slots of some days. A person has one place for each doctor: who waits already waits for the new days instead, in the same
 * place. Throws `email_not_verified`, `doctor_not_found`, `range_too_long`, `conflict` (waits for these days or in too many lines, or has an offer), `booking_limit`.
 */
export async function joinLine(sql: Sql, patient: Caller, wish: Wish, { now, limits, verification, client }: BookingRules) {
  const from = dateOf(wish.from, '/from')
  const to = dateOf(wish.to, '/to')
  if (Temporal.PlainDate.compare(to, from) < 0) throw invalid('/to', 'must not be before from')
  if (from.until(to).days >= MAX_DAYS) throw new Problem('range_too_long', `At most ${MAX_DAYS} days`)
  await requireVerified(sql, patient, verification)
  const at = new Date(now.epochMilliseconds)
  return transaction(sql, async (tx) => {
    // before anything is counted, and on its way with the count: joins that come at once pass one by one
    const [, , found] = await Promise.all([
      lockClaims(tx, patient.id, wish.doctorId, client),
      checkActive(tx, patient),
      countFor(tx, patient.id, wish.doctorId, client, at)
    ])
    if (!found.listed) throw new Problem('doctor_not_found')
    if (found.mine > 0) return { isNew: false, entry: entryOf(await changeDays(tx, patient.id, wish, at)) }
    if (found.open >= MAX_ENTRIES) throw new Problem('conflict', `You may wait in ${MAX_ENTRIES} lines at most`)
    if (found.near >= (limits.perClient ?? CLAIMS_PER_CLIENT)) throw limitProblem({ reached: 'client', since: null }, limits, at)
    const row = await one<Row>(
      tx,
      SQL`insert into waitlist (id, doctor_id, patient_id, patient_name, from_date, to_date, client, created_at)
          values (${Bun.randomUUIDv7()}, ${wish.doctorId}, ${patient.id}, ${patient.name}, ${wish.from}::date, ${wish.to}::date, ${client}, ${at})
       returning id, doctor_id, from_date as from, to_date as to, status, created_at, null as offer_start, null as offer_until, null as hold_id`
    )
    return { isNew: true, entry: entryOf(row) }
  })
}

/** Gives the place that a patient has with a doctor other days. Throws `conflict` where they are the same, or the place has an offer. */
async function changeDays(tx: Db, patientId: string, { doctorId, from, to }: Wish, at: Date): Promise<Row> {
  const row = await maybeOne<Row>(
    tx,
    SQL`update waitlist set from_date = ${from}::date, to_date = ${to}::date
         where id = (select id from waitlist
                      where patient_id = ${patientId}::uuid and doctor_id = ${doctorId}::uuid and status <> 'done'
                        and to_date >= ${at}::timestamptz::date - 1
                      order by created_at, id limit 1)
           and status = 'waiting' and (from_date, to_date) <> (${from}::date, ${to}::date)
     returning id, doctor_id, from_date as from, to_date as to, status, created_at, null as offer_start, null as offer_until, null as hold_id`
  )
  if (!row) throw new Problem('conflict', 'You wait for these days already, or a slot is offered to you')
  return row
}

/** The places of a patient that are not over (of one doctor, and in all), and how many claims on the doctor come from one client. */
const countFor = (tx: Db, patientId: string, doctorId: string, client: string | null, at: Date) =>
  one<{ listed: boolean; mine: number; open: number; near: number }>(
    tx,
    SQL`select exists (select 1 from doctors where id = ${doctorId}::uuid and listed) as listed, found.mine, found.open, near.of_client as near
          from (select count(*) filter (where doctor_id = ${doctorId}::uuid) as mine, count(*) as open from waitlist
                 where patient_id = ${patientId}::uuid and status <> 'done' and to_date >= ${at}::timestamptz::date - 1) as found,
               (select ${doctorId}::uuid as doctor_id, ${client}::text as client, ${at}::timestamptz as at) as claim
               cross join lateral (`
      .append(claimsOfClient())
      .append(SQL`) as near`)
  )

/** The caller's places in line, oldest first, with the offer that is open. */
export async function listLines(
  sql: Sql,
  patient: Caller,
  { limit = 20, cursor }: { limit?: number | undefined; cursor?: string | undefined },
  now: Temporal.Instant
) {
  const [after] = cursor ? cursors.decode(cursor) : [null]
  const found = await rows<Row>(
    sql,
    SQL`select w.id, w.doctor_id, w.from_date as from, w.to_date as to, w.status, w.created_at, lower(a.during) as offer_start,
               a.expires_at as offer_until, a.id as hold_id
          from waitlist w
          left join appointments a on a.waitlist_id = w.id and a.status = 'held' and a.expires_at > ${new Date(now.epochMilliseconds)}::timestamptz
         where w.patient_id = ${patient.id} and w.status <> 'done' and (${after}::uuid is null or w.id > ${after}::uuid)
         order by w.id limit ${limit + 1}`
  )
  const page = found.slice(0, limit)
  const last = page.at(-1)
  return { items: page.map(entryOf), nextCursor: found.length > limit && last ? cursors.encode([last.id]) : null }
}

/** Leaves the line; an open offer passes on to the next. Throws `not_found`. */
export async function leaveLine(sql: Sql, patient: Caller, id: string, now: Temporal.Instant): Promise<void> {
  await transaction(sql, async (tx) => {
    await requireActive(tx, patient)
    const left = await run(
      tx,
      SQL`update waitlist set status = 'done' where id = ${id} and patient_id = ${patient.id} and status <> 'done'`
    )
    if (left === 0) throw new Problem('not_found')
    const freed = await maybeOne<{ doctorId: string; start: Date }>(
      tx,
      SQL`update appointments set status = 'released' where waitlist_id = ${id} and status = 'held' returning doctor_id, lower(during) as start`
    )
    if (freed) await passOn(tx, { doctorId: freed.doctorId, start: freed.start.getTime() }, now)
  })
}
