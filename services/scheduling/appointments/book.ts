import SQL from 'sql-template-strings'
import type { Caller } from '#platform/caller'
import { type Db, maybeOne, transaction } from '#platform/db'
import { announce } from '#platform/outbox'
import { Problem } from '#platform/problem'
import { instantOf } from '#platform/schema'
import { checkActive } from '../people/active.ts'
import { claimSlot } from './claim.ts'
import type { Limits } from './insert.ts'
import { type Appointment, appointmentOf, type BookingWish, snapshotOf } from './model.ts'
import { bookHeldRow, lockCalendar, recordHistory } from './queries.ts'

const MINUTE_MS = 60_000

/** What booking needs to know besides the wish. */
export type BookingRules = { now: Temporal.Instant; limits: Limits; verification: 'required' | 'optional' }

/**
 * Books a slot, or the slot that the patient holds. Answers `requested`, or `confirmed` where the doctor confirms by themselves.
 * Throws `email_not_verified`, `doctor_not_found`, `slot_unavailable`, `slot_taken`, `patient_conflict`, `booking_limit`, `hold_expired`.
 */
export async function book(db: Db, patient: Caller, wish: BookingWish, rules: BookingRules): Promise<Appointment> {
  const start = instantOf(wish.start, '/start').epochMilliseconds
  const now = rules.now.epochMilliseconds
  await requireVerified(db, patient, rules.verification)
  if (wish.holdId) return bookHeld(db, patient, wish.holdId, { ...wish, startMs: start }, rules)
  try {
    const row = await claimSlot(db, { doctorId: wish.doctorId, start, now, limits: rules.limits }, (calendar, slot) => ({
      patient,
      status: calendar.autoConfirm ? 'confirmed' : 'requested',
      reason: wish.reason ?? null,
      expiresAt: new Date(Math.min(now + calendar.answerWithinMinutes * MINUTE_MS, slot.start))
    }))
    return appointmentOf(row)
  } catch (error) {
    // what stands in the way may be a hold of one's own, which few who book have
    const held = isInTheWay(error) ? await ownHold(db, patient.id, wish.doctorId, start, now) : undefined
    if (!held) throw error
    return bookHeld(db, patient, held, { ...wish, startMs: start }, rules)
  }
}

const isInTheWay = (error: unknown) =>
  error instanceof Problem && ['slot_taken', 'slot_unavailable', 'patient_conflict', 'doctor_not_found'].includes(error.code)

/** The token may be older than the verification, and the event younger than the token: either will do. */
async function requireVerified(db: Db, patient: Caller, verification: BookingRules['verification']): Promise<void> {
  if (verification === 'optional' || patient.emailVerified) return
  const known = await maybeOne<{ emailVerified: boolean }>(db, SQL`select email_verified from people where id = ${patient.id}`)
  if (!known?.emailVerified) throw new Problem('email_not_verified')
}

const ownHold = async (db: Db, patientId: string, doctorId: string, start: number, now: number): Promise<string | undefined> =>
  (
    await maybeOne<{ id: string }>(
      db,
      // as a parameter, so that the index of all that will expire is not thought of
      SQL`select id from appointments where patient_id = ${patientId}::uuid and status = ${'held'} and expires_at > ${new Date(now)}::timestamptz
             and doctor_id = ${doctorId}::uuid and lower(during) = ${new Date(start)}::timestamptz`
    )
  )?.id

type Held = {
  doctorId: string
  start: Date
  autoConfirm: boolean
  answerWithinMinutes: number
  listed: boolean
  inAll: number
  ofSpecialty: number
  waitlistId: string | null
}

async function bookHeld(
  db: Db,
  patient: Caller,
  holdId: string,
  wish: BookingWish & { startMs: number },
  { now: instant, limits }: BookingRules
): Promise<Appointment> {
  const now = new Date(instant.epochMilliseconds)
  return transaction(db, async (tx) => {
    await Promise.all([lockCalendar(tx, patient.id), checkActive(tx, patient)])
    const held = await maybeOne<Held>(
      tx,
      SQL`select a.doctor_id, lower(a.during) as start, a.waitlist_id, d.auto_confirm, d.answer_within_minutes, d.listed,
                 (select count(*) from appointments o where o.patient_id = a.patient_id and o.status in ('requested', 'confirmed')
                     and lower(o.during) > ${now}::timestamptz) as in_all,
                 (select count(*) from appointments o join doctors e on e.id = o.doctor_id
                   where o.patient_id = a.patient_id and o.status in ('requested', 'confirmed') and lower(o.during) > ${now}::timestamptz
                     and e.specialties && d.specialties) as of_specialty
            from appointments a join doctors d on d.id = a.doctor_id
           where a.id = ${holdId}::uuid and a.patient_id = ${patient.id}::uuid and a.status = 'held' and a.expires_at > ${now}::timestamptz
             for update of a for share of d`
    )
    if (!held) throw new Problem('hold_expired')
    if (held.doctorId !== wish.doctorId || held.start.getTime() !== wish.startMs)
      throw new Problem('slot_unavailable', 'The hold is for another slot')
    if (!held.listed) throw new Problem('doctor_not_found')
    if (held.inAll >= limits.inAll || held.ofSpecialty >= limits.perSpecialty) throw new Problem('booking_limit')
    const expiresAt = new Date(Math.min(now.getTime() + held.answerWithinMinutes * MINUTE_MS, held.start.getTime()))
    const status = held.autoConfirm ? 'confirmed' : 'requested'
    const row = await bookHeldRow(tx, holdId, { status, reason: wish.reason ?? null, expiresAt, now })
    await recordHistory(tx, row, { action: 'book', actorId: patient.id, actorRole: 'patient', from: null, reason: null, at: now })
    await announce(tx, `healthmed.appointment.${status}.v1`, row.id, snapshotOf(row, { id: patient.id, role: 'patient' }))
    return appointmentOf(row)
  })
}
