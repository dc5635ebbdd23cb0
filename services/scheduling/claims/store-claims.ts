import SQL from 'sql-template-strings'
import { batchedOn } from '#platform/data/batch'
import { type Db, rows, type Sql, transaction } from '#platform/data/db'
import { announced } from '#platform/events/outbox'
import { describeError, log, type Trace } from '#platform/setup/log'
import { type AppointmentRow, snapshotOf } from '../appointments/model.ts'
import { lockClaims } from '../appointments/queries.ts'
import { notice } from '../stream/notices.ts'
import { CLAIMS_PER_CLIENT, type Limits, limitReached, type Reached, timesAnHour } from './limits.ts'

/** A claim to store: the row, its end with the doctor's buffer, and the version of the hours that its slot was computed from. */
export type NewClaim = {
  row: AppointmentRow
  bufferedEnd: Date
  scheduleVersion: number
  expiresAt: Date
  client: string | null
  at: Date
  limits: Limits
  trace: Trace
}

/**
 * The result of a claim. `id` is null if no row was inserted. `isBarred`: the patient was erased or disabled. `isCurrent` is false if the hours changed or
 * if the batch left the claim undecided.
 */
export type Outcome = Reached & { isCurrent: boolean; id: string | null; isBarred: boolean }

const undecided: Outcome = { isCurrent: false, reached: null, since: null, id: null, isBarred: false }

/** Makes a claim in its own transaction, or in the one it is given, and waits for the locks that it needs. */
export const claimAlone = (db: Db, claim: NewClaim): Promise<Outcome> =>
  transaction(db, async (tx) => {
    // both are sent before the first is answered: one round trip, and the snapshot of the insert is taken after the lock
    const [, [outcome]] = await Promise.all([
      lockClaims(tx, claim.row.patientId, claim.row.doctorId, claim.client),
      storeClaims(tx, [claim], SQL`for share`)
    ])
    return outcome ?? undecided
  })

/**
 * Makes a claim in a batch with others that arrive at the same time: one statement and one commit. A claim that would have to wait for a lock (a second claim
 * on a doctor or by a patient, or a locked patient or doctor) stays undecided, so that no claim delays the batch.
 */
export const claimTogether = (db: Db, claim: NewClaim): Promise<Outcome> =>
  'begin' in db ? claimBatched(db, claim) : claimAlone(db, claim)
/** Claims that arrive within this time share a commit: one commit for each would cost more processor time. */
const APART_MS = 15
/** A batch of this size starts at once: waiting for more would leave the cores idle. */
const ENOUGH = 8
const claimBatched = batchedOn(claimAll, { most: 64, enough: ENOUGH, apartMs: APART_MS })

async function claimAll(sql: Sql, claims: NewClaim[]): Promise<Outcome[]> {
  const seen = new Set<string>()
  const first = claims.filter(({ row: { doctorId, patientId } }) => {
    const isFirst = !seen.has(doctorId) && !seen.has(patientId)
    if (isFirst) seen.add(doctorId).add(patientId)
    return isFirst
  })
  try {
    const decided = await transaction(sql, async (tx) => {
      const free = await lockFree(tx, first)
      const outcomes = await storeClaims(tx, free, SQL`for share skip locked`)
      return new Map(free.map((claim, index) => [claim, outcomes[index] ?? undecided]))
    })
    return claims.map((claim) => decided.get(claim) ?? undecided)
  } catch (error) {
    // one claim may have failed the whole batch: each is tried alone, so that only that one fails
    log.warn(describeError(error), 'a batch of claims failed; each claim is tried alone')
    return claims.map(() => undecided)
  }
}

/** Tries the locks of `lockClaims` for each claim without waiting. Returns the claims that got both. */
async function lockFree(tx: Db, claims: NewClaim[]): Promise<NewClaim[]> {
  const ids = claims.map(({ row }) => row.patientId)
  const pairs = claims.map(({ row, client }) => client && `${client} ${row.doctorId}`)
  const got = await rows<{ id: string }>(
    tx,
    SQL`select id from unnest(${ids}::text[], ${pairs}::text[]) as wanted(id, pair)
         where pg_try_advisory_xact_lock(hashtextextended(id, 7)) and (pair is null or pg_try_advisory_xact_lock(hashtextextended(pair, 8)))`
  )
  const free = new Set(got.map(({ id }) => id))
  return claims.filter(({ row }) => free.has(row.patientId))
}

/**
 * One statement: the doctors' rows are taken FOR SHARE so that no change of hours passes, and appointment, history and event of each claim are made
 * together or not at all. `on conflict do nothing` because a plain insert against exclusion constraints deadlocks when many want one slot; doctors in
 * their order, so that two statements do not wait for each other. The locks before it let the claims of a patient, and of a client on a doctor, pass one by
 * one, so that limits hold.
 */
async function storeClaims(tx: Db, claims: NewClaim[], lock: ReturnType<typeof SQL>): Promise<Outcome[]> {
  if (claims.length === 0) return []
  const statement = SQL`
    with asked as materialized (
      select * from jsonb_to_recordset(${{ claims: claims.map(columnsOf) }}::jsonb -> 'claims') as claim(
        nth int, id uuid, doctor_id uuid, schedule_version int, patient_id uuid, patient_name text, status text, start_at timestamptz, end_at timestamptz,
        buffered_end timestamptz, timezone text, price_amount int, price_currency text, reason text, expires_at timestamptz, client text,
        at timestamptz, most_in_all int, most_of_specialty int, most_an_hour int, most_of_client int, event_id uuid, event jsonb, traceparent text, request_id text)),
    doctor as materialized (
      select id, specialties, schedule_version from doctors where id in (select doctor_id from asked) and listed order by id `
    .append(lock)
    .append(SQL`),
    open as materialized (
      select claim.id, limits.reached, limits.since,
             coalesce((select p.disabled or p.erased from people p where p.id = claim.patient_id), false) as is_barred
        from (select asked.*, doctor.specialties
                from asked join doctor on doctor.id = asked.doctor_id and doctor.schedule_version = asked.schedule_version) as claim `)
    .append(limitReached())
    .append(SQL`),
    made as (
      insert into appointments (id, doctor_id, patient_id, patient_name, status, during, doctor_during, timezone, price_amount, price_currency,
                                reason, expires_at, client, created_at, updated_at)
      select id, doctor_id, patient_id, patient_name, status, tstzrange(start_at, end_at), tstzrange(start_at, buffered_end), timezone, price_amount,
             price_currency, reason, expires_at, client, at, at
        from asked join open using (id)
       where not open.is_barred and open.reached is null
       order by doctor_id
      on conflict do nothing
      returning id),
    told as (
      insert into history (appointment_id, doctor_id, patient_id, at, actor_id, actor_role, action, to_status, version)
      select id, doctor_id, patient_id, at, patient_id, 'patient', 'book', status, 1 from asked join made using (id) where status <> 'held'),
    announced as (
      insert into outbox (id, type, subject, data, traceparent, request_id)
      select event_id, 'healthmed.appointment.' || status || '.v1', id, event, traceparent, request_id
        from asked join made using (id) where status <> 'held')
    select open.id is not null as is_current, open.reached, open.since, made.id, coalesce(open.is_barred, false) as is_barred
      from asked left join open using (id) left join made using (id) order by asked.nth`)
  const outcomes = await rows<Outcome>(tx, statement)
  const booked = claims.filter(({ row }, index) => outcomes[index]?.id && row.status !== 'held')
  if (booked.length > 0) announced.ring(tx)
  for (const { row } of booked) notice(tx, row)
  return outcomes
}

const columnsOf = ({ row, bufferedEnd, scheduleVersion, expiresAt, client, at, limits, trace }: NewClaim, nth: number) => ({
  nth,
  id: row.id,
  doctor_id: row.doctorId,
  schedule_version: scheduleVersion,
  patient_id: row.patientId,
  patient_name: row.patientName,
  status: row.status,
  start_at: row.start,
  end_at: row.end,
  buffered_end: bufferedEnd,
  timezone: row.timezone,
  price_amount: row.priceAmount,
  price_currency: row.priceCurrency,
  reason: row.reason,
  expires_at: expiresAt,
  client,
  at,
  most_in_all: limits.inAll,
  most_of_specialty: limits.perSpecialty,
  most_an_hour: timesAnHour(limits),
  most_of_client: limits.perClient ?? CLAIMS_PER_CLIENT,
  event_id: Bun.randomUUIDv7(),
  event: snapshotOf(row, { id: row.patientId, role: 'patient' }),
  traceparent: trace.traceparent,
  request_id: trace.requestId
})
