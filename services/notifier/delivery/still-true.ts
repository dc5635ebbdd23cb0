import type { Template } from '../mails/model.ts'

/** What decides whether a mail may still leave, read again at the moment of sending. Instants are compared in milliseconds. */
export type Standing = {
  template: Template
  eventAt: Date
  attempts: number
  /** When what it offers or links to ends. */
  expiresAt: Date | null
  recipientErased: boolean
  appointment: {
    mail: { version: number; start: Date }
    now: { version: number; status: string; start: Date }
    /** A later mail on the same appointment has left to the same recipient, or is leaving: its event came first, over another replica. */
    laterSent: boolean
    /** A later mail waits behind this one. */
    laterWaits: boolean
  } | null
}

/** A mail that leaves this soon after its change counts as under way: the correction follows it at once. */
const UNDER_WAY_MS = 2_000
const ends = new Set(['declined', 'cancelled', 'expired'])

/** Why a mail must not leave any more; undefined where it may. */
export function whySuperseded(mail: Standing, now: Date): string | undefined {
  if (mail.recipientErased) return 'the recipient was erased'
  if (mail.expiresAt && mail.expiresAt <= now) return 'what it offers has expired'
  if (!mail.appointment) return undefined
  const { mail: told, now: newest, laterSent, laterWaits } = mail.appointment
  if (mail.template === 'reminder_24h' || mail.template === 'reminder_1h') {
    if (newest.status !== 'confirmed' || +newest.start !== +told.start) return 'the appointment has changed'
    return now >= newest.start ? 'the appointment has begun' : undefined
  }
  if (laterSent) return 'a later change was told already'
  if (newest.version <= told.version) return undefined
  const untrue = ends.has(newest.status) || +newest.start !== +told.start
  if (untrue && +now - +mail.eventAt > UNDER_WAY_MS) return 'a later change has made it untrue'
  // a mail that the server would not take does not hold up the news behind it
  if (laterWaits && mail.attempts > 1) return 'a later change waits to be told'
  return undefined
}
