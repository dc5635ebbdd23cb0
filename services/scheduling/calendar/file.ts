import ical, { foldLines, type ICalCalendar, ICalCalendarMethod, ICalEvent, type ICalEventData } from 'ical-generator'
import { entryStatusOf, type Mailbox, mailtoAddress, sequenceOf, uidOf } from '#platform/events/calendar-entry'
import { oneLine } from '#platform/http/text'
import type { AppointmentRow } from '../appointments/model.ts'

/** What a calendar entry shows of an appointment. */
export type EntryRow = Pick<
  AppointmentRow,
  'id' | 'doctorName' | 'patientName' | 'start' | 'end' | 'status' | 'version' | 'createdAt' | 'updatedAt'
>

/** How often calendar programs should ask for a feed again, in seconds. */
const REFRESH_SECONDS = 900
/** Entries that are written before others have their turn. */
const AT_ONCE = 50
const END = 'END:VCALENDAR'

/**
 * The zone that all times are in. A calendar must have a component (RFC 5545, 3.6), and this one shows nothing: it is there where no entry is.
 */
const utc = [
  'VTIMEZONE',
  'TZID:Etc/UTC',
  'BEGIN:STANDARD',
  'DTSTART:19700101T000000',
  'TZOFFSETFROM:+0000',
  'TZOFFSETTO:+0000',
  'END:STANDARD'
]
const EMPTY = `BEGIN:${utc.join('\r\n')}\r\nEND:VTIMEZONE\r\n`

/** One appointment as an iCalendar file (RFC 5545) for one of its readers; times in UTC, lines folded. No reason or specialty: a calendar is often shared. */
export function calendarFile(row: EntryRow, reader: string, organizer: Mailbox): string {
  const calendar = newCalendar()
  calendar.createEvent(entryOf(row, reader, organizer))
  return `${calendar.toString()}\r\n`
}

/** Appointments as a calendar to subscribe to, in their order. Other requests have their turn while a large one is written. */
export async function calendarFeed(rows: EntryRow[], reader: string, organizer: Mailbox): Promise<string> {
  const calendar = newCalendar().ttl(REFRESH_SECONDS)
  // a method asks for an event (RFC 5546)
  if (rows.length === 0) return calendar.method(null).toString().replace(END, `${EMPTY}${END}\r\n`)
  const parts = [calendar.toString().replace(END, '')]
  for (let from = 0; from < rows.length; from += AT_ONCE) {
    const entries = rows.slice(from, from + AT_ONCE).map((row) => new ICalEvent(entryOf(row, reader, organizer), calendar).toString())
    parts.push(foldLines(entries.join('')))
    await new Promise((resolve) => setImmediate(resolve))
  }
  return `${parts.join('')}${END}\r\n`
}

const newCalendar = (): ICalCalendar =>
  ical({
    name: 'Health&Med',
    prodId: { company: 'Health&Med', product: 'scheduling', language: 'EN' },
    method: ICalCalendarMethod.PUBLISH
  })

const entryOf = (row: EntryRow, reader: string, organizer: Mailbox): ICalEventData => ({
  id: uidOf(row.id),
  start: row.start,
  end: row.end,
  stamp: row.updatedAt,
  created: row.createdAt,
  lastModified: row.updatedAt,
  sequence: sequenceOf(row),
  status: entryStatusOf(row.status),
  // names that were kept before there were rules for them may hold hidden characters
  summary: `Health&Med: ${oneLine(reader === 'doctor' ? row.patientName : row.doctorName)}`,
  // METHOD:PUBLISH asks for one (RFC 5546), and it is that of the mails
  organizer: { name: organizer.name || organizer.address, email: mailtoAddress(organizer.address) }
})
