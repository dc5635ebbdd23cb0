import type { Seal } from '#platform/data/seal'
import { openText, sealText } from '#platform/data/sealed-text'
import { statusReasonContext } from '#platform/events/events'

/*
 * The reasons that patients and doctors write, which may tell of a person's health. In the database they are sealed; rows in this program hold them as
 * they are stored, and they are opened only where an answer or an event is made of a row. The keys belong to the process, as its log does: `useKeys` is
 * called once, before the first statement.
 */
let own: Seal | undefined
let forNotifier: Seal | undefined

/** Sets the keys of this process: those of what is stored, and those that the notifier shares. */
export function useKeys(stored: Seal, events: Seal): void {
  own = stored
  forNotifier = events
}

const needed = (seal: Seal | undefined): Seal => {
  if (!seal) throw new Error('the keys have not been set')
  return seal
}

/** Where a reason stands. `history` is named by its appointment. */
export const places = {
  'appointments.reason': (id: string) => `appointments.${id}.reason`,
  'appointments.status_reason': (id: string) => `appointments.${id}.status_reason`,
  'history.reason': (appointmentId: string) => `history.${appointmentId}.reason`,
  'exceptions.reason': (id: string) => `exceptions.${id}.reason`
} as const
/** A column with reasons. */
export type Place = keyof typeof places

/** A reason as it is stored. */
export const sealReason = (reason: string | null, place: Place, id: string): string | null =>
  reason === null ? null : sealText(needed(own), reason, places[place](id))

/** A stored reason in clear, also one that an earlier release stored so. */
export const openReason = (stored: string | null, place: Place, id: string): string | null =>
  stored === null ? null : openText(needed(own), stored, places[place](id))

/** The reason of a change for its event: only the notifier can read it. */
export const reasonForEvent = (stored: string | null, appointmentId: string): string | null => {
  const reason = openReason(stored, 'appointments.status_reason', appointmentId)
  return reason === null ? null : needed(forNotifier).seal(reason, statusReasonContext(appointmentId))
}

/** An appointment's reasons, in the body of an answer that is kept for its idempotency key. */
type WithReasons = { id: string; reason?: string; statusReason?: string }
const isWithReasons = (body: unknown): body is WithReasons => typeof body === 'object' && body !== null && 'id' in body

/** The body of an answer as it is kept; its ids stay readable, by which it is found when a person is erased. */
export const keepBody = (body: unknown): unknown => (isWithReasons(body) ? mapReasons(body, sealReason) : body)
/** A kept body as it was answered. */
export const openBody = (body: unknown): unknown => (isWithReasons(body) ? mapReasons(body, openReason) : body)

function mapReasons(body: WithReasons, map: typeof sealReason): WithReasons {
  const { reason, statusReason, ...rest } = body
  const [own, given] = [
    map(reason ?? null, 'appointments.reason', body.id),
    map(statusReason ?? null, 'appointments.status_reason', body.id)
  ]
  return { ...rest, ...(own !== null && { reason: own }), ...(given !== null && { statusReason: given }) }
}
