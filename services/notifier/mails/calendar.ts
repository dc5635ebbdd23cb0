import ical, { ICalAttendeeRole, ICalAttendeeStatus, ICalAttendeeType, ICalCalendarMethod, ICalEventStatus } from 'ical-generator'
import type { Locale } from '../people/queries.ts'

/** What a calendar entry is made of. */
export type Entry = {
  method: 'REQUEST' | 'CANCEL'
  appointmentId: string
  /** The appointment's version: it rises with each change and stays the same when a mail is sent again. */
  sequence: number
  /** When the change was made. */
  stamp: Date
  start: Date
  end: Date
  confirmed: boolean
  /** Whom the recipient meets. */
  with: string
  locale: Locale
  organizer: Address
  attendee: Address
}
/** A mailbox: a name to show and a bare address. */
export type Address = { name: string; address: string }

const words = { 'pt-BR': 'Consulta com', en: 'Appointment with' }

/** An iTIP message (RFC 5546) for one party; calendar programs take it as the newest state of the appointment's one entry. Times are UTC. */
export function calendarPart(entry: Entry): string {
  const calendar = ical({
    prodId: { company: 'Health&Med', product: 'Notifier', language: entry.locale.toUpperCase().slice(0, 2) },
    method: entry.method === 'REQUEST' ? ICalCalendarMethod.REQUEST : ICalCalendarMethod.CANCEL
  })
  calendar.createEvent({
    id: `${entry.appointmentId}@healthmed`,
    sequence: entry.sequence,
    stamp: entry.stamp,
    start: entry.start,
    end: entry.end,
    // no specialty and no reason: a summary shows on lock screens and shared calendars
    summary: `${words[entry.locale]} ${entry.with}`,
    status: statusOf(entry),
    organizer: { name: entry.organizer.name, email: entry.organizer.address },
    attendees: [
      {
        name: entry.attendee.name,
        email: entry.attendee.address,
        role: ICalAttendeeRole.REQ,
        type: ICalAttendeeType.INDIVIDUAL,
        status: ICalAttendeeStatus.ACCEPTED,
        rsvp: false
      }
    ]
  })
  return `${calendar.toString().trimEnd()}\r\n`
}

function statusOf({ method, confirmed }: Entry): ICalEventStatus {
  if (method === 'CANCEL') return ICalEventStatus.CANCELLED
  return confirmed ? ICalEventStatus.CONFIRMED : ICalEventStatus.TENTATIVE
}
