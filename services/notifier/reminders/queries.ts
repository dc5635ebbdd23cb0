import SQL from 'sql-template-strings'
import { type Db, rows, run } from '#platform/db'

/** Takes an appointment's reminders away: what follows a change makes them anew. */
export const clearReminders = (tx: Db, appointmentId: string) => run(tx, SQL`delete from reminders where appointment_id = ${appointmentId}`)

/** Sets a reminder, once. */
export const setReminder = (tx: Db, appointmentId: string, leadMinutes: number, dueAt: Temporal.Instant) =>
  run(
    tx,
    SQL`insert into reminders (id, appointment_id, lead_minutes, due_at)
        values (${Bun.randomUUIDv7()}, ${appointmentId}, ${leadMinutes}::int, ${dueAt.toString()}::timestamptz) on conflict do nothing`
  )

/** A reminder that is due, with its appointment as it is now. */
export type Due = {
  id: string
  leadMinutes: number
  appointmentId: string
  version: number
  status: string
  startAt: Date
  endAt: Date
  timezone: string
  doctorId: string
  patientId: string
}

/** Takes reminders that are due out of the table, each in one process alone. */
export const takeDue = (tx: Db, now: Date, limit: number) =>
  rows<Due>(
    tx,
    SQL`with due as materialized (select id from reminders where due_at <= ${now} order by due_at limit ${limit}::int for update skip locked),
             taken as (delete from reminders using due where reminders.id = due.id returning reminders.*)
        select t.id, t.lead_minutes, t.appointment_id, a.version, a.status, a.start_at, a.end_at, a.timezone, a.doctor_id, a.patient_id
          from taken t join appointments a on a.id = t.appointment_id`
  )
