import SQL from 'sql-template-strings'
import { batchedOn } from '#platform/data/batch'
import { type Db, rows, run } from '#platform/data/db'

/** Takes an appointment's reminders away: what follows a change makes them anew. */
export const clearReminders = (tx: Db, appointmentId: string) => clearTogether(tx, appointmentId)
const clearTogether = batchedOn(async (tx: Db, ids: string[]) => {
  await run(tx, SQL`delete from reminders where appointment_id = any(${ids}::uuid[])`)
  return ids
})

/** A reminder that is to be set. */
export type NewReminder = { appointmentId: string; leadMinutes: number; dueAt: Temporal.Instant }

/** Sets a reminder, once. */
export const setReminder = (tx: Db, reminder: NewReminder) => setTogether(tx, reminder)
const setTogether = batchedOn(async (tx: Db, reminders: NewReminder[]) => {
  await run(
    tx,
    SQL`insert into reminders (id, appointment_id, lead_minutes, due_at)
        select id, appointment_id, lead_minutes, due_at::timestamptz
          from unnest(${reminders.map(() => Bun.randomUUIDv7())}::uuid[], ${reminders.map(({ appointmentId }) => appointmentId)}::uuid[],
                      ${reminders.map(({ leadMinutes }) => leadMinutes)}::int[], ${reminders.map(({ dueAt }) => dueAt.toString())}::text[])
               as r(id, appointment_id, lead_minutes, due_at)
        on conflict do nothing`
  )
  return reminders
})

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

/** The ids of reminders that are due, the longest due first. */
export const findDue = async (db: Db, now: Date, limit: number): Promise<string[]> =>
  (await rows<{ id: string }>(db, SQL`select id from reminders where due_at <= ${now} order by due_at limit ${limit}::int`)).map(
    ({ id }) => id
  )

/** Takes reminders that are due out of the table, each in one process alone; of those with these ids where some are named. */
export const takeDue = (tx: Db, now: Date, limit: number, ids: string[] | null = null) =>
  rows<Due>(
    tx,
    SQL`with due as materialized (select id from reminders where due_at <= ${now} and (${ids}::uuid[] is null or id = any(${ids}::uuid[]))
               order by due_at limit ${limit}::int for update skip locked),
             taken as (delete from reminders using due where reminders.id = due.id returning reminders.*)
        select t.id, t.lead_minutes, t.appointment_id, a.version, a.status, a.start_at, a.end_at, a.timezone, a.doctor_id, a.patient_id
          from taken t join appointments a on a.id = t.appointment_id`
  )
