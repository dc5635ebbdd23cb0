import SQL from 'sql-template-strings'
import { type Db, one } from '#platform/data/db'
import { currentOrNewTrace } from '#platform/events/outbox'
import { Problem } from '#platform/http/problem'
import type { AppointmentRow } from '../appointments/model.ts'
import { sealReason } from '../privacy/reasons.ts'
import type { Calendar } from '../slots/read.ts'
import { readCalendar } from '../slots/read.ts'
import { freeSlots, isInHours, type Range } from '../slots/slots.ts'
import { localDay } from '../slots/zone.ts'
import { type Limits, limitProblem } from './limits.ts'
import { claimAlone, claimTogether, type NewClaim } from './store-claims.ts'

/** A claim on a doctor's time: a booking or a hold. */
export type Claim = {
  patient: { id: string; name: string }
  status: 'held' | 'requested' | 'confirmed'
  reason: string | null
  expiresAt: Date
  /** From where it is made, if that is known and limited. */
  client: string | null
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

const ATTEMPTS = 5

/**
 * Claims a slot of a listed doctor. Who wins is decided by the exclusion constraints, never by a read before the write; a read only decides what is
 * offered, and is done again when the hours changed in between. `decide` gives the claim once the calendar is known.
 * Throws `doctor_not_found`, `slot_unavailable`, `slot_taken`, `patient_conflict`, `booking_limit`, `hold_limit`, `rate_limited`.
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
    const claim = newClaim(calendar, slot, decide(calendar, slot), at, limits)
    // alone it waits for whoever changes the same hours, and for the patient's other bookings
    const outcome = attempt === 1 ? await claimTogether(db, claim) : await claimAlone(db, claim)
    if (outcome.id !== null) return claim.row
    if (!outcome.isCurrent) continue
    if (outcome.isBarred) throw new Problem('token_revoked')
    // what the patient did comes before the slot; how many are near the patient comes after it, since those who lose a slot lose it to somebody
    if (outcome.reached && outcome.reached !== 'client') throw limitProblem(outcome, limits, at)
    const code = await whoseConflict(db, claim)
    if (code) throw new Problem(code)
    if (outcome.reached) throw limitProblem(outcome, limits, at)
  }
  throw new Problem('slot_taken')
}

const newClaim = (
  calendar: Calendar,
  slot: Range,
  { patient, status, reason, ...claim }: Claim,
  at: Date,
  limits: Limits,
  id = Bun.randomUUIDv7()
): NewClaim => ({
  row: {
    id,
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
    reason: sealReason(reason, 'appointments.reason', id),
    statusReason: null,
    version: 1,
    createdAt: at,
    updatedAt: at
  },
  bufferedEnd: new Date(slot.end + calendar.offer.bufferMinutes * MINUTE_MS),
  scheduleVersion: calendar.scheduleVersion,
  expiresAt: claim.expiresAt,
  client: claim.client,
  at,
  limits,
  trace: currentOrNewTrace()
})

/**
 * Tells who lost to whom; nothing where the winner is gone again and another try is due. Holds that have run out and stand in the way are closed, which
 * makes room for that try.
 */
async function whoseConflict(
  db: Db,
  { row, bufferedEnd, at }: NewClaim
): Promise<'slot_taken' | 'patient_conflict' | 'hold_limit' | undefined> {
  const found = await one<{ cleared: number; doctor: boolean; patient: boolean; hold: boolean }>(
    db,
    SQL`with cleared as (
          update appointments set status = 'released', updated_at = ${at}::timestamptz
           where status = 'held' and waitlist_id is null and expires_at <= ${at}::timestamptz
             and ((doctor_id = ${row.doctorId}::uuid and doctor_during && tstzrange(${row.start}::timestamptz, ${bufferedEnd}::timestamptz))
                  or patient_id = ${row.patientId}::uuid)
          returning 1)
        select (select count(*) from cleared) as cleared,
               exists (select 1 from appointments where doctor_id = ${row.doctorId}::uuid and status in ('held', 'requested', 'confirmed')
                          and doctor_during && tstzrange(${row.start}::timestamptz, ${bufferedEnd}::timestamptz)) as doctor,
               exists (select 1 from appointments where patient_id = ${row.patientId}::uuid and status in ('held', 'requested', 'confirmed')
                          and during && tstzrange(${row.start}::timestamptz, ${row.end}::timestamptz)) as patient,
               exists (select 1 from appointments where patient_id = ${row.patientId}::uuid and status = 'held' and waitlist_id is null) as hold`
  )
  if (found.cleared > 0) return undefined
  if (found.doctor) return 'slot_taken'
  if (found.patient) return 'patient_conflict'
  return row.status === 'held' && found.hold ? 'hold_limit' : undefined
}
