import type { SealedTable } from '#platform/data/reseal'
import { type Seal, UnknownKey } from '#platform/data/seal'
import { openText, sealText } from '#platform/data/sealed-text'
import { mailTokenContext, statusReasonContext } from '#platform/events/events'
import { NotYet } from '#platform/events/inbox'
import type { MailData } from './mails/model.ts'

/** The notifier's own keys, and those that it shares with the services whose events say something in confidence. */
export type Secrets = { own: Seal; ofAuth: Seal; ofScheduling: Seal }

const contextOf = (appointmentId: string) => `mails.${appointmentId}.status_reason`

/**
 * Makes sure that the token of an event can be read when its mail leaves. Throws `NotYet` where its key is not known here: after an exchange of keys it is
 * a moment later.
 */
export function requireToken({ ofAuth }: Secrets, { id, sealedToken }: { id: string; sealedToken?: string }): void {
  if (sealedToken !== undefined) waitForKey(() => ofAuth.open(sealedToken, mailTokenContext(id)))
}

/** An appointment of an event as its mails keep it: the reason of the change is sealed with the notifier's own key. */
export function keepReason<A extends { id: string; statusReason: string | null; sealedStatusReason?: string | null }>(
  { own, ofScheduling }: Secrets,
  appointment: A
): A {
  const { id, statusReason, sealedStatusReason } = appointment
  const reason = sealedStatusReason ? waitForKey(() => ofScheduling.open(sealedStatusReason, statusReasonContext(id))) : statusReason
  return { ...appointment, statusReason: null, sealedStatusReason: sealText(own, reason, contextOf(id)) }
}

function waitForKey(open: () => string): string {
  try {
    return open()
  } catch (error) {
    throw error instanceof UnknownKey ? new NotYet(error.message) : error
  }
}

/** What a mail says, in clear, for the moment in which it is written. */
export function openData(
  { own, ofAuth }: Secrets,
  { recipientId, appointmentId, data }: { recipientId: string; appointmentId: string | null; data: MailData }
): MailData {
  const { account, appointment } = data
  const sealedReason = appointment?.sealedStatusReason
  return {
    ...data,
    ...(account?.sealedToken && { account: { ...account, token: ofAuth.open(account.sealedToken, mailTokenContext(recipientId)) } }),
    ...(appointment &&
      appointmentId && {
        appointment: {
          ...appointment,
          statusReason: sealedReason ? openText(own, sealedReason, contextOf(appointmentId)) : appointment.statusReason
        }
      })
  }
}

/** What the notifier keeps sealed, and for which place. An earlier release kept the reason in clear, under another name. */
export const sealedTables: SealedTable[] = [
  {
    table: 'mails',
    key: 'id',
    type: 'uuid',
    contextId: 'appointment_id',
    columns: [
      {
        read: "coalesce(data #>> '{appointment,sealedStatusReason}', data #>> '{appointment,statusReason}')",
        write: "data = jsonb_set(data #- '{appointment,statusReason}', '{appointment,sealedStatusReason}', to_jsonb($value))",
        context: contextOf,
        holds: 'text'
      }
    ]
  }
]
