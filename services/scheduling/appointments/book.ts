import SQL from 'sql-template-strings'
import { type Db, maybeOne, transaction } from '#platform/data/db'
import { announce } from '#platform/events/outbox'
import { Problem } from '#platform/http/problem'
import { instantOf } from '#platform/http/schema'
import type { Caller } from '#platform/identity/caller'
import { claimSlot } from '../claims/claim.ts'
import { CLAIMS_PER_CLIENT, type Limits, limitProblem, limitReached, type Reached, timesAnHour } from '../claims/limits.ts'
import { checkActive } from '../people/active.ts'
import { requireVerified, type Verification } from '../people/verified.ts'
import { type Appointment, appointmentOf, type BookingInput, snapshotOf } from './model.ts'
import { bookHeldRow, lockCalendar, recordHistory } from './queries.ts'

const MINUTE_MS = 60_000

/** What a booking depends on besides its input. */
export type BookingRules = { now: Temporal.Instant; limits: Limits; verification: Verification; client: string | null }

/**
 * Books a slot, or the slot that the patient holds. Answers `requested`, or `confirmed` where the doctor confirms by themselves.
 * Throws `email_not_verified`, `doctor_not_found`, `slot_unavailable`, `slot_taken`, `patient_conflict`, `booking_limit`, `rate_limited`,
 * `hold_expired`.
 */
export async function book(db: Db, patient: Caller, input: BookingInput, rules: BookingRules): Promise<Appointment> {
  const start = instantOf(input.start, '/start').epochMilliseconds
  const now = rules.now.epochMilliseconds
  await requireVerified(db, patient, rules.verification)
  if (input.holdId) return bookHeld(db, patient, input.holdId, { ...input, startMs: start }, rules)
  try {
    const row = await claimSlot(db, { doctorId: input.doctorId, start, now, limits: rules.limits }, (calendar, slot) => ({
      patient,
      status: calendar.autoConfirm ? 'confirmed' : 'requested',
      reason: input.reason ?? null,
      client: rules.client,
      expiresAt: new Date(Math.min(now + calendar.answerWithinMinutes * MINUTE_MS, slot.start))
    }))
    return appointmentOf(row)
  } catch (error) {
    // the conflict may be the patient's own hold; looked up only now, because few bookings have one
    const held = isConflict(error) ? await ownHold(db, patient.id, input.doctorId, start, now) : undefined
    if (!held) throw error
    return bookHeld(db, patient, held, { ...input, startMs: start }, rules)
  }
}

const isConflict = (error: unknown) =>
  error instanceof Problem && ['slot_taken', 'slot_unavailable', 'patient_conflict', 'doctor_not_found'].includes(error.code)

const ownHold = async (db: Db, patientId: string, doctorId: string, start: number, now: number): Promise<string | undefined> =>
  (
    await maybeOne<{ id: string }>(
      db,
      // 'held' is a parameter so that the planner does not choose the index appointments_to_expire
      SQL`select id from appointments where patient_id = ${patientId}::uuid and status = ${'held'} and expires_at > ${new Date(now)}::timestamptz
             and doctor_id = ${doctorId}::uuid and lower(during) = ${new Date(start)}::timestamptz`
    )
  )?.id

type Held = Reached & { doctorId: string; start: Date; autoConfirm: boolean; answerWithinMinutes: number; listed: boolean }

async function bookHeld(
  db: Db,
  patient: Caller,
  holdId: string,
  input: BookingInput & { startMs: number },
  { now: instant, limits }: BookingRules
): Promise<Appointment> {
  const now = new Date(instant.epochMilliseconds)
  return transaction(db, async (tx) => {
    await Promise.all([lockCalendar(tx, patient.id), checkActive(tx, patient)])
    const held = await maybeOne<Held>(
      tx,
      // `client` is null: the hold already counts as one of the client's claims
      SQL`with claim as materialized (
            select a.doctor_id, a.patient_id, lower(a.during) as start_at, d.specialties, d.auto_confirm, d.answer_within_minutes, d.listed,
                   ${now}::timestamptz as at, 'requested' as status, null::text as client, ${limits.inAll}::int as most_in_all,
                   ${limits.perSpecialty}::int as most_of_specialty, ${timesAnHour(limits)}::int as most_an_hour, ${CLAIMS_PER_CLIENT}::int as most_of_client
              from appointments a join doctors d on d.id = a.doctor_id
             where a.id = ${holdId}::uuid and a.patient_id = ${patient.id}::uuid and a.status = 'held' and a.expires_at > ${now}::timestamptz
               for update of a for share of d)
          select claim.doctor_id, claim.start_at as start, claim.auto_confirm, claim.answer_within_minutes, claim.listed, limits.reached, limits.since
            from claim `.append(limitReached())
    )
    if (!held) throw new Problem('hold_expired')
    if (held.doctorId !== input.doctorId || held.start.getTime() !== input.startMs)
      throw new Problem('slot_unavailable', 'The hold is for another slot')
    if (!held.listed) throw new Problem('doctor_not_found')
    if (held.reached) throw limitProblem(held, limits, now)
    const expiresAt = new Date(Math.min(now.getTime() + held.answerWithinMinutes * MINUTE_MS, held.start.getTime()))
    const status = held.autoConfirm ? 'confirmed' : 'requested'
    const row = await bookHeldRow(tx, holdId, { status, reason: input.reason ?? null, expiresAt, now })
    await recordHistory(tx, row, { action: 'book', actorId: patient.id, actorRole: 'patient', from: null, reason: null, at: now })
    await announce(tx, `healthmed.appointment.${status}.v1`, row.id, snapshotOf(row, { id: patient.id, role: 'patient' }))
    return appointmentOf(row)
  })
}
