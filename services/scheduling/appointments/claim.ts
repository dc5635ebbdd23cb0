import SQL from 'sql-template-strings'
import { type Db, maybeOne, one, transaction } from '#platform/db'
import { announced, currentOrNewTrace } from '#platform/outbox'
import { Problem } from '#platform/problem'
import type { Calendar } from '../slots/read.ts'
import { readCalendar } from '../slots/read.ts'
import { freeSlots, isInHours, type Range } from '../slots/slots.ts'
import { localDay } from '../slots/zone.ts'
import { notice } from '../stream/notices.ts'
import { type AppointmentRow, snapshotOf } from './model.ts'
import { lockCalendar } from './queries.ts'

/** How many open appointments a patient may have: in all, and with doctors of the specialties of the one asked for. */
export type Limits = { perSpecialty: number; inAll: number }

/** A claim on a doctor's time: a booking or a hold. */
export type Claim = {
  patient: { id: string; name: string }
  status: 'held' | 'requested' | 'confirmed'
  reason: string | null
  expiresAt: Date
  waitlistId?: string
}

const MINUTE_MS = 60_000

/** The slot that starts at `start` if the doctor offers it now. Throws `slot_taken` if somebody has it, `slot_unavailable` if it never was one. */
export function requireOffered({ offer, busy }: Pick<Calendar, 'offer' | 'busy'>, start: number, now: number): Range {
  const day = localDay(offer.timezone, start)
  const slot = freeSlots(offer, busy, day - 1, day + 1, now).find((free) => free.start === start)
  if (slot) return slot
  const asked = { start, end: start + offer.slotMinutes * MINUTE_MS }
  throw new Problem(isInHours(offer, asked, now) ? 'slot_taken' : 'slot_unavailable')
}

/** What the claiming statement says: null for a row that was not made. */
type Outcome = { current: boolean; openInAll: number; openOfSpecialty: number; id: string | null }

const ATTEMPTS = 5

/**
 * Claims a slot of a listed doctor. Who wins is decided by the exclusion constraints, never by a read before the write; a read only decides what is
 * offered, and is done again when the hours changed in between. `decide` gives the claim once the calendar is known.
 * Throws `doctor_not_found`, `slot_unavailable`, `slot_taken`, `patient_conflict`, `booking_limit`, `hold_limit`.
 */
export async function claimSlot(
  db: Db,
  { doctorId, start, now, limits }: { doctorId: string; start: number; now: number; limits: Limits },
  decide: (calendar: Calendar, slot: Range) => Claim
): Promise<AppointmentRow> {
  const at = new Date(now)
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const calendar = await readCalendar(db, doctorId, { from: new Date(start), to: new Date(start), now: at })
    if (!calendar) throw new Problem('doctor_not_found')
    const slot = requireOffered(calendar, start, now)
    const claim = decide(calendar, slot)
    const row = rowOf(calendar, slot, claim, at)
    const outcome = await insertClaim(db, { calendar, slot, claim, row, at, limits })
    if (outcome.id !== null) return row
    if (!outcome.current) continue
    if (claim.status !== 'held' && (outcome.openInAll >= limits.inAll || outcome.openOfSpecialty >= limits.perSpecialty))
      throw new Problem('booking_limit')
    const code = await whoseConflict(db, calendar, slot, claim)
    if (code) throw new Problem(code)
  }
  throw new Problem('slot_taken')
}

const rowOf = (calendar: Calendar, slot: Range, { patient, status, reason }: Claim, at: Date): AppointmentRow => ({
  id: Bun.randomUUIDv7(),
  doctorId: calendar.id,
  doctorName: calendar.name,
  crm: calendar.crm,
  patientId: patient.id,
  patientName: patient.name,
  start: new Date(slot.start),
  end: new Date(slot.end),
  timezone: calendar.offer.timezone,
  priceAmount: calendar.price.amount,
  priceCurrency: calendar.price.currency,
  status,
  reason,
  statusReason: null,
  version: 1,
  createdAt: at,
  updatedAt: at
})

type Insert = { calendar: Calendar; slot: Range; claim: Claim; row: AppointmentRow; at: Date; limits: Limits }

/**
 * One statement: the doctor's row is taken FOR SHARE so that no change of hours passes, holds that have run out and stand in the way are closed,
 * and appointment, history and event are made together or not at all. `on conflict do nothing` because a plain insert against exclusion
 * constraints deadlocks when many want one slot. The lock before it lets one patient's bookings pass one by one, so that limits hold.
 */
function insertClaim(db: Db, { calendar, slot, claim, row, at, limits }: Insert): Promise<Outcome> {
  const bufferedEnd = new Date(slot.end + calendar.offer.bufferMinutes * MINUTE_MS)
  const isHold = claim.status === 'held'
  const event = snapshotOf(row, { id: claim.patient.id, role: 'patient' })
  const { traceparent, requestId } = currentOrNewTrace()
  const statement = SQL`
    with doctor as (
      select id, specialties from doctors
       where id = ${calendar.id}::uuid and schedule_version = ${calendar.scheduleVersion}::int and listed for share),
    cleared as (
      update appointments set status = 'released', updated_at = ${at}::timestamptz
       where status = 'held' and waitlist_id is null and expires_at <= ${at}::timestamptz
         and ((doctor_id = ${calendar.id}::uuid and doctor_during && tstzrange(${row.start}::timestamptz, ${bufferedEnd}::timestamptz))
              or patient_id = ${row.patientId}::uuid)
      returning 1),
    open as (
      select count(*) as in_all, count(*) filter (where d.specialties && (select specialties from doctor)) as of_specialty
        from appointments a join doctors d on d.id = a.doctor_id
       where a.patient_id = ${row.patientId}::uuid and a.status in ('requested', 'confirmed') and lower(a.during) > ${at}::timestamptz),
    made as (
      insert into appointments (id, doctor_id, patient_id, patient_name, status, during, doctor_during, timezone, price_amount, price_currency,
                                reason, expires_at, waitlist_id, created_at, updated_at)
      select ${row.id}::uuid, doctor.id, ${row.patientId}::uuid, ${row.patientName}, ${row.status}, tstzrange(${row.start}::timestamptz, ${row.end}::timestamptz),
             tstzrange(${row.start}::timestamptz, ${bufferedEnd}::timestamptz), ${row.timezone}, ${row.priceAmount}::int, ${row.priceCurrency},
             ${row.reason}::text, ${claim.expiresAt}::timestamptz, ${claim.waitlistId ?? null}::uuid, ${at}::timestamptz, ${at}::timestamptz
        from doctor, open, (select count(*) from cleared) as after_clearing
       where ${isHold}::boolean or (open.in_all < ${limits.inAll}::int and open.of_specialty < ${limits.perSpecialty}::int)
      on conflict do nothing
      returning id),
    told as (
      insert into history (appointment_id, doctor_id, patient_id, at, actor_id, actor_role, action, to_status, version)
      select id, ${calendar.id}::uuid, ${row.patientId}::uuid, ${at}::timestamptz, ${row.patientId}::uuid, 'patient', 'book', ${row.status}, 1
        from made where not ${isHold}::boolean),
    announced as (
      insert into outbox (id, type, subject, data, traceparent, request_id)
      select ${Bun.randomUUIDv7()}::uuid, ${`healthmed.appointment.${row.status}.v1`}, id, ${event}::jsonb, ${traceparent}, ${requestId}
        from made where not ${isHold}::boolean)
    select exists (select 1 from doctor) as current, open.in_all as open_in_all, open.of_specialty as open_of_specialty, (select id from made) as id
      from open`
  // both are on their way before the first has answered: one round trip, and the statement's snapshot is taken after the lock
  return transaction(db, async (tx) => {
    const [, outcome] = await Promise.all([lockCalendar(tx, row.patientId), one<Outcome>(tx, statement)])
    if (outcome.id !== null && !isHold) {
      announced.ring(tx)
      notice(tx, row)
    }
    return outcome
  })
}

/** Tells who lost to whom; nothing where the winner is gone again and another try is due. */
async function whoseConflict(
  db: Db,
  calendar: Calendar,
  slot: Range,
  claim: Claim
): Promise<'slot_taken' | 'patient_conflict' | 'hold_limit' | undefined> {
  const bufferedEnd = new Date(slot.end + calendar.offer.bufferMinutes * MINUTE_MS)
  const [start, end] = [new Date(slot.start), new Date(slot.end)]
  const found = await maybeOne<{ doctor: boolean; patient: boolean; hold: boolean }>(
    db,
    SQL`select exists (select 1 from appointments where doctor_id = ${calendar.id}::uuid and status in ('held', 'requested', 'confirmed')
                          and doctor_during && tstzrange(${start}::timestamptz, ${bufferedEnd}::timestamptz)) as doctor,
               exists (select 1 from appointments where patient_id = ${claim.patient.id}::uuid and status in ('held', 'requested', 'confirmed')
                          and during && tstzrange(${start}::timestamptz, ${end}::timestamptz)) as patient,
               exists (select 1 from appointments where patient_id = ${claim.patient.id}::uuid and status = 'held' and waitlist_id is null) as hold`
  )
  if (found?.doctor) return 'slot_taken'
  if (found?.patient) return 'patient_conflict'
  return claim.status === 'held' && found?.hold ? 'hold_limit' : undefined
}
