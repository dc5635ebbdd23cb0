import ical, { ICalAttendeeRole, ICalAttendeeStatus, ICalAttendeeType, ICalCalendarMethod } from 'ical-generator'
import { entryStatusOf, type Mailbox, mailtoAddress, sequenceOf, uidOf } from '#platform/events/calendar-entry'
import type { Locale } from '../people/queries.ts'

/** What a calendar entry is made of. */
export type Entry = {
  method: 'REQUEST' | 'CANCEL'
  appointmentId: string
  /** The appointment's version: it rises with each change and stays the same when a mail is sent again. */
  version: number
  status: string
  /** When the change was made. */
  stamp: Date
  start: Date
  end: Date
  /** Whom the recipient meets. */
  with: string
  locale: Locale
  organizer: Mailbox
  attendee: Mailbox
}

const words = { 'pt-BR': 'Consulta com', en: 'Appointment with' }

/** An iTIP message (RFC 5546) for one party; calendar programs take it as the newest state of the appointment's one entry. Times are UTC. */
export function calendarPart(entry: Entry): string {
  const calendar = ical({
    prodId: { company: 'Health&Med', product: 'Notifier', language: entry.locale.toUpperCase().slice(0, 2) },
    method: entry.method === 'REQUEST' ? ICalCalendarMethod.REQUEST : ICalCalendarMethod.CANCEL
  })
  calendar.createEvent({
    id: uidOf(entry.appointmentId),
    sequence: sequenceOf(entry),
    stamp: entry.stamp,
    start: entry.start,
    end: entry.end,
    // no specialty and no reason: a summary shows on lock screens and shared calendars
    summary: `${words[entry.locale]} ${entry.with}`,
    status: entryStatusOf(entry.status),
    organizer: { name: entry.organizer.name || entry.organizer.address, email: mailtoAddress(entry.organizer.address) },
    attendees: [
      {
        name: entry.attendee.name || entry.attendee.address,
        email: mailtoAddress(entry.attendee.address),
        role: ICalAttendeeRole.REQ,
        type: ICalAttendeeType.INDIVIDUAL,
        status: ICalAttendeeStatus.ACCEPTED,
        rsvp: false
      }
    ]
  })
  return `${calendar.toString().trimEnd()}\r\n`
}
