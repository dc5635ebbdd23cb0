import ical, { ICalCalendarMethod, ICalEventStatus } from 'ical-generator'
import type { AppointmentRow } from '../appointments/model.ts'
import type { Status } from '../appointments/states.ts'

/** The `UID` of an appointment's calendar entry, for ever the same, here and in mails. */
export const uidOf = (id: string): string => `${id}@healthmed`

const states: Partial<Record<Status, ICalEventStatus>> = {
  requested: ICalEventStatus.TENTATIVE,
  confirmed: ICalEventStatus.CONFIRMED,
  completed: ICalEventStatus.CONFIRMED,
  no_show: ICalEventStatus.CONFIRMED
}

/**
 * Appointments as an iCalendar file (RFC 5545) for one of its readers; times in UTC, lines folded, `SEQUENCE` is the version less one. No reason or
 * specialty: a calendar is often shared.
 */
export function calendarFile(rows: AppointmentRow[], reader: string, name = 'Health&Med'): string {
  const calendar = ical({
    name,
    prodId: { company: 'Health&Med', product: 'scheduling', language: 'EN' },
    method: ICalCalendarMethod.PUBLISH
  })
  for (const row of rows) {
    calendar.createEvent({
      id: uidOf(row.id),
      start: row.start,
      end: row.end,
      stamp: row.updatedAt,
      created: row.createdAt,
      lastModified: row.updatedAt,
      sequence: row.version - 1,
      status: states[row.status] ?? ICalEventStatus.CANCELLED,
      summary: `Health&Med: ${reader === 'doctor' ? row.patientName : row.doctorName}`
    })
  }
  return calendar.toString()
}
