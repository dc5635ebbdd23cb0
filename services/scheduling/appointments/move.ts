import SQL from 'sql-template-strings'
import { type Db, run, transaction } from '#platform/data/db'
import { announce } from '#platform/events/outbox'
import { Problem } from '#platform/http/problem'
import { instantOf, invalid } from '#platform/http/schema'
import type { Caller } from '#platform/identity/caller'
import { requireOffered } from '../claims/claim.ts'
import { type Limits, requireMovesLeft } from '../claims/limits.ts'
import { checkActive } from '../people/active.ts'
import { type Calendar, readCalendar } from '../slots/read.ts'
import { passOn } from '../waitlist/offer.ts'
import { type ChangeInput, factsOf, requireVersion } from './change.ts'
import { type Appointment, appointmentOf, snapshotOf } from './model.ts'
import { findAppointment, lockAppointment, lockCalendars, moveRow, recordHistory } from './queries.ts'
import { type Actor, judge, movedTo } from './states.ts'

const MINUTE_MS = 60_000

/**
 * Moves an appointment to another slot of the same doctor in one transaction: the old slot is released only when the new one is claimed.
 * Throws `appointment_not_found`, `version_conflict`, `invalid_transition`, `too_late`, `slot_unavailable`, `slot_taken`, `patient_conflict`,
 * `rate_limited`.
 */
export async function move(
  db: Db,
  who: Caller,
  { id, ifMatch, start: requestedStart }: ChangeInput & { start: string },
  { now, limits }: { now: Temporal.Instant; limits: Limits }
): Promise<Appointment> {
  const start = instantOf(requestedStart, '/start').epochMilliseconds
  const actor: Actor = who.role === 'doctor' ? 'doctor' : 'patient'
  return transaction(db, async (tx) => {
    const seen = await findAppointment(tx, id, who.id)
    if (!seen) throw new Problem('appointment_not_found')
    // many moves at once would wait on each other's exclusion constraints; locks taken in a fixed order prevent a deadlock
    await lockCalendars(tx, seen.doctorId, seen.patientId)
    await Promise.all([checkActive(tx, who), run(tx, SQL`select 1 from doctors where id = ${seen.doctorId}::uuid for share`)])
    const row = await lockAppointment(tx, id, who.id)
    if (!row) throw new Problem('appointment_not_found')
    requireVersion(row, ifMatch)
    const verdict = judge('reschedule', factsOf(row, actor, now))
    if (verdict !== 'allowed') throw new Problem(verdict)
    if (row.start.getTime() === start) throw invalid('/start', 'is where the appointment is already')
    if (actor === 'patient') await requireMovesLeft(tx, who.id, limits, new Date(now.epochMilliseconds))

    const calendar = await calendarFor(tx, row.doctorId, start, id, actor, now)
    const slot = requireOffered(calendar, start, now.epochMilliseconds)
    await clearExpiredHolds(tx, row.doctorId, row.patientId, now)
    const status = movedTo(actor, calendar.autoConfirm)
    const at = new Date(now.epochMilliseconds)
    const moved = await moveRow(tx, id, {
      ...slot,
      bufferedEnd: slot.end + calendar.offer.bufferMinutes * MINUTE_MS,
      status,
      expiresAt: status === 'requested' ? new Date(Math.min(at.getTime() + calendar.answerWithinMinutes * MINUTE_MS, slot.start)) : null,
      now: at
    })
    await recordHistory(tx, moved, { action: 'reschedule', actorId: who.id, actorRole: actor, from: row.status, reason: null, at })
    await announce(tx, 'healthmed.appointment.rescheduled.v1', id, snapshotOf(moved, { id: who.id, role: actor }, row.start))
    await passOn(tx, { doctorId: row.doctorId, start: row.start.getTime() }, now)
    return appointmentOf(moved)
  })
}

/** The doctor's calendar without the appointment that is moved. The minimum notice applies to patients, not to the doctor. */
async function calendarFor(
  tx: Db,
  doctorId: string,
  start: number,
  except: string,
  actor: Actor,
  now: Temporal.Instant
): Promise<Calendar> {
  const at = new Date(start)
  const calendar = await readCalendar(tx, doctorId, { from: at, to: at, now: new Date(now.epochMilliseconds), except })
  if (!calendar) throw new Problem('doctor_not_found')
  return actor === 'doctor' ? { ...calendar, offer: { ...calendar.offer, minNoticeMinutes: 0 } } : calendar
}

const clearExpiredHolds = (tx: Db, doctorId: string, patientId: string, now: Temporal.Instant) =>
  run(
    tx,
    SQL`update appointments set status = 'released'
         where status = 'held' and waitlist_id is null and expires_at <= ${new Date(now.epochMilliseconds)}::timestamptz
           and (doctor_id = ${doctorId}::uuid or patient_id = ${patientId}::uuid)`
  )
