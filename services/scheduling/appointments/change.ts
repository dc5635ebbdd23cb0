import { type Db, transaction } from '#platform/data/db'
import { announce } from '#platform/events/outbox'
import { Problem } from '#platform/http/problem'
import type { Caller } from '#platform/identity/caller'
import { requireActive } from '../people/active.ts'
import { passOn } from '../waitlist/offer.ts'
import { type Appointment, type AppointmentRow, appointmentOf, snapshotOf } from './model.ts'
import { type LockedRow, lockAppointment, recordHistory, setStatus } from './queries.ts'
import { type Action, type Actor, type Facts, judge, transitions } from './states.ts'

type Change = Exclude<Action, 'reschedule'>

/** What a caller sends to change an appointment. `ifMatch` is the header as it arrived. */
export type ChangeInput = { id: string; reason?: string | undefined; ifMatch?: string | null | undefined }

/**
 * Changes the status of an appointment for its patient or its doctor. Of several changes at once one wins; the others see the new status.
 * Throws `appointment_not_found`, `version_conflict`, `invalid_transition`, `too_late`, and as `requireActive` does.
 */
export async function change(
  db: Db,
  action: Change,
  who: Caller,
  { id, reason, ifMatch }: ChangeInput,
  now: Temporal.Instant
): Promise<Appointment> {
  return transaction(db, async (tx) => {
    await requireActive(tx, who)
    const row = await lockAppointment(tx, id, who.id)
    if (!row) throw new Problem('appointment_not_found')
    requireVersion(row, ifMatch)
    const actor = actorOf(who)
    const verdict = judge(action, factsOf(row, actor, now))
    if (verdict !== 'allowed') throw new Problem(verdict)
    return appointmentOf(await apply(tx, action, row, { id: who.id, role: actor }, reason ?? null, now))
  })
}

/** The facts of a locked row that decide whether an action is allowed. */
export const factsOf = (row: LockedRow, actor: Actor, now: Temporal.Instant): Facts => ({
  status: row.status,
  start: row.start.getTime(),
  now: now.epochMilliseconds,
  actor,
  cancellationNoticeMinutes: row.cancellationNoticeMinutes,
  answerBy: row.expiresAt?.getTime() ?? null
})

const actorOf = ({ role }: Caller): Actor => (role === 'doctor' ? 'doctor' : 'patient')

/** Accepts `*` and any list that contains the version. An entity tag is the version in quotes; weak tags count (RFC 9110). */
export function requireVersion(row: Pick<AppointmentRow, 'version'>, ifMatch: string | null | undefined): void {
  if (!ifMatch || ifMatch.trim() === '*') return
  const known = ifMatch.split(',').map((tag) => tag.trim().replace(/^W\//, '').replaceAll('"', ''))
  if (!known.includes(String(row.version))) throw new Problem('version_conflict')
}

/** Changes a locked row in the caller's transaction: status, history and event. A slot that becomes free is offered to the waitlist. */
export async function apply(
  tx: Db,
  action: Change,
  row: LockedRow,
  actor: { id: string | null; role: Actor },
  reason: string | null,
  now: Temporal.Instant
): Promise<AppointmentRow> {
  const at = new Date(now.epochMilliseconds)
  const status = transitions[action].to
  const changed = await setStatus(tx, row.id, { status, reason, now: at })
  await recordHistory(tx, changed, { action, actorId: actor.id, actorRole: actor.role, from: row.status, reason, at })
  // the event happened when the request expired, not when the job found it: after a restore the old event then sends no second email
  const happened = action === 'expire' ? row.expiresAt : null
  const gaveUp = status === 'declined' || status === 'expired' ? row.movedFrom : null
  await announce(tx, `healthmed.appointment.${status}.v1`, row.id, snapshotOf(changed, actor, gaveUp), happened)
  if (status === 'cancelled' || status === 'declined' || status === 'expired') {
    await passOn(tx, { doctorId: row.doctorId, start: row.start.getTime() }, now)
  }
  return changed
}
