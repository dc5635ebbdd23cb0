/** Where an appointment can be. `held` and `released` are holds: no client sees them as appointments. */
export type Status = 'held' | 'released' | 'requested' | 'confirmed' | 'declined' | 'cancelled' | 'completed' | 'no_show' | 'expired'
/** What can be done to an appointment. */
export type Action = 'confirm' | 'decline' | 'cancel' | 'reschedule' | 'complete' | 'no_show' | 'expire'
/** Who does it: `system` is the clock, or an account that ended. */
export type Actor = 'patient' | 'doctor' | 'system'

type Transition = { from: readonly Status[]; to: Status | 'by_actor'; by: readonly Actor[]; when: 'before_start' | 'after_start' | 'any' }

/** The state table: from where, to where, by whom, and on which side of the start. */
export const transitions = {
  confirm: { from: ['requested'], to: 'confirmed', by: ['doctor'], when: 'before_start' },
  decline: { from: ['requested'], to: 'declined', by: ['doctor'], when: 'before_start' },
  cancel: { from: ['requested', 'confirmed'], to: 'cancelled', by: ['patient', 'doctor', 'system'], when: 'before_start' },
  reschedule: { from: ['requested', 'confirmed'], to: 'by_actor', by: ['patient', 'doctor'], when: 'before_start' },
  complete: { from: ['confirmed'], to: 'completed', by: ['doctor'], when: 'after_start' },
  no_show: { from: ['confirmed'], to: 'no_show', by: ['doctor'], when: 'after_start' },
  expire: { from: ['requested'], to: 'expired', by: ['system'], when: 'any' }
} as const satisfies Record<Action, Transition>

/** What stands in the way of an action: nothing, the state, or the time. */
export type Verdict = 'allowed' | 'invalid_transition' | 'too_late'

/** Facts that decide; instants in Unix ms, notice in minutes. `answerBy` is until when a request may be answered. */
export type Facts = { status: Status; start: number; now: number; actor: Actor; cancellationNoticeMinutes: number; answerBy: number | null }

/**
 * Whether an action is allowed. The doctor's notice binds the patient alone; nobody changes what has begun; what is over can be told only after
 * its start. A request whose time has run out can no more be answered, though the job that expires it has not come by yet.
 */
export function judge(action: Action, { status, start, now, actor, cancellationNoticeMinutes, answerBy }: Facts): Verdict {
  const { from, by, when } = transitions[action] as Transition
  if (!from.includes(status) || !by.includes(actor)) return 'invalid_transition'
  if (when === 'after_start') return now < start ? 'invalid_transition' : 'allowed'
  if (when === 'any' || actor === 'system') return 'allowed'
  if ((action === 'confirm' || action === 'decline') && answerBy !== null && now >= answerBy) return 'too_late'
  const notice = actor === 'patient' && (action === 'cancel' || action === 'reschedule') ? cancellationNoticeMinutes * 60_000 : 0
  return now >= start || now > start - notice ? 'too_late' : 'allowed'
}

/** Where a move leads: a doctor's is confirmed, a patient's waits for the doctor unless that doctor confirms by themselves. */
export const movedTo = (actor: Actor, autoConfirm: boolean): Status => (actor === 'doctor' || autoConfirm ? 'confirmed' : 'requested')
