import type { AppointmentSnapshot, EventData } from '#platform/events/events'
import type { Locale, Person } from '../people/queries.ts'

/** Every mail there is. */
export const templates = [
  'appointment_requested',
  'appointment_confirmed',
  'appointment_declined',
  'appointment_cancelled',
  'appointment_rescheduled',
  'appointment_expired',
  'reminder_24h',
  'reminder_1h',
  'waitlist_offered',
  'verify_email',
  'verify_new_email',
  'email_changing',
  'password_reset',
  'locked_out',
  'second_factor_on',
  'second_factor_off',
  'doctor_approved',
  'doctor_rejected',
  'account_erased'
] as const
/** A mail's kind. */
export type Template = (typeof templates)[number]

/** What an event said that its mail needs; names and addresses are looked up when the mail leaves. */
export type MailData = {
  appointment?: Pick<
    AppointmentSnapshot,
    'start' | 'end' | 'timezone' | 'status' | 'statusReason' | 'sealedStatusReason' | 'previousStart' | 'actor'
  > & {
    doctorId: string
    patientId: string
  }
  /** The method of its calendar part. */
  calendar?: 'REQUEST' | 'CANCEL' | null
  offer?: EventData<'healthmed.waitlist.offered.v1'>
  account?: {
    token?: string
    sealedToken?: string
    expiresAt?: string
    until?: string
    resetNeeded?: boolean
    reason?: string | null
    change?: string
  }
  /** Where it goes, in place of the person's address of the moment it leaves. */
  address?: string
  /** The last that is known of an erased person; goes when the mail has left. */
  farewell?: Person
}

/** Mails whose row holds a secret or an erased person's address: it is emptied once they have left, and they cannot be sent again. */
export const burnt: Template[] = ['verify_email', 'verify_new_email', 'email_changing', 'password_reset', 'account_erased']

/** Mails that ask to prove an address: they name nobody, whoever the address belongs to. */
export const unproved: Template[] = ['verify_email', 'verify_new_email']

/** What the words of a mail may speak of. */
export type Facts = {
  locale: Locale
  /** The recipient; without a name where the mail must name nobody. */
  you: { name: string | null; role: Person['role']; timezone: string }
  doctor: string
  patient: string
  /** Whether these are names, and not words in the place of one. */
  isNamed: { doctor: boolean; patient: boolean }
  /** Who made the change, as the recipient sees it. */
  by: 'you' | 'doctor' | 'patient' | 'system'
  appointment?: MailData['appointment']
  offer?: MailData['offer']
  account: NonNullable<MailData['account']>
  publicUrl: string
}

/** A mail's content, before it becomes HTML and text. */
export type Content = {
  subject: string
  heading: string
  paragraphs: string[]
  /** Label and value, as a small table. */
  facts?: [label: string, value: string][]
  action?: { label: string; url: string; codeLabel: string; code: string }
}
