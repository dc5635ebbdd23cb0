import { domainToASCII } from 'node:url'
import { ICalEventStatus } from 'ical-generator'

/*
 * What the file, the feed and the mails say alike of an appointment's calendar entry. Calendar programs compare them: a copy with another number or
 * organizer would be ignored or become a second entry.
 */

/** The `UID` of an appointment's entry. It never changes. */
export const uidOf = (appointmentId: string): string => `${appointmentId}@healthmed`

/**
 * The `SEQUENCE` of the entry: the version of the appointment's last change that the entry shows. That a visit took place or was missed changes nothing
 * in a calendar and is not mailed, so it does not count.
 */
export const sequenceOf = ({ version, status }: { version: number; status: string }): number =>
  status === 'completed' || status === 'no_show' ? version - 1 : version

const states: Record<string, ICalEventStatus> = {
  requested: ICalEventStatus.TENTATIVE,
  confirmed: ICalEventStatus.CONFIRMED,
  completed: ICalEventStatus.CONFIRMED,
  no_show: ICalEventStatus.CONFIRMED
}
/** The `STATUS` of the entry, by the status of the appointment. */
export const entryStatusOf = (status: string): ICalEventStatus => states[status] ?? ICalEventStatus.CANCELLED

/** An address as `mailto:` may have it: the domain in Punycode, what is left beyond ASCII percent-encoded (RFC 6068). */
export function mailtoAddress(address: string): string {
  const at = address.lastIndexOf('@')
  const domain = address.slice(at + 1)
  const local = address.slice(0, at).replace(/\P{ASCII}+/gu, encodeURIComponent)
  return `${local}@${domainToASCII(domain) || domain}`
}

/** A mailbox: a name to show and a bare address. */
export type Mailbox = { name: string; address: string }

/** The mailbox that a setting such as `Health&Med <no-reply@example.com>` names. */
export function mailboxOf(text: string): Mailbox {
  const [, name = '', address = text] = /^(.*?)\s*<([^<>]+)>$/.exec(text) ?? []
  return { name, address }
}
