import ical, { ICalCalendarMethod, type ICalEventData } from 'ical-generator'
import { entryStatusOf, type Mailbox, mailtoAddress, sequenceOf, uidOf } from '#platform/calendar'
import type { AppointmentRow } from '../appointments/model.ts'

/** What a calendar entry shows of an appointment. */
export type EntryRow = Pick<
  AppointmentRow,
  'id' | 'doctorName' | 'patientName' | 'start' | 'end' | 'status' | 'version' | 'createdAt' | 'updatedAt'
>

/** Appointments as an iCalendar file (RFC 5545) for one of its readers; times in UTC, lines folded. No reason or specialty: a calendar is often shared. */
export function calendarFile(rows: EntryRow[], reader: string, organizer: Mailbox, name = 'Health&Med'): string {
  const calendar = ical({
    name,
    prodId: { company: 'Health&Med', product: 'scheduling', language: 'EN' },
    method: ICalCalendarMethod.PUBLISH
  })
  for (const row of rows) calendar.createEvent(entryOf(row, reader, organizer))
  return calendar.toString()
}

const entryOf = (row: EntryRow, reader: string, organizer: Mailbox): ICalEventData => ({
  id: uidOf(row.id),
  start: row.start,
  end: row.end,
  stamp: row.updatedAt,
  created: row.createdAt,
  lastModified: row.updatedAt,
  sequence: sequenceOf(row),
  status: entryStatusOf(row.status),
  summary: `Health&Med: ${reader === 'doctor' ? row.patientName : row.doctorName}`,
  // METHOD:PUBLISH asks for one (RFC 5546), and it is that of the mails
  organizer: { name: organizer.name || organizer.address, email: mailtoAddress(organizer.address) }
})
