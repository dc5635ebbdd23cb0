import SQL from 'sql-template-strings'
import { type Db, maybeOne } from '#platform/db'
import type { AppointmentSnapshot } from '#platform/events'

/** Keeps the newest state of an appointment. Gives whether it stood in calendars before; undefined where a newer state is known already. */
export const keepState = (tx: Db, { id, version, status, ...rest }: AppointmentSnapshot, entersCalendars: boolean) =>
  maybeOne<{ wasInCalendars: boolean }>(
    tx,
    SQL`with before as materialized (select in_calendars from appointments where id = ${id})
        insert into appointments (id, version, status, start_at, end_at, timezone, doctor_id, patient_id, booked_at, in_calendars)
        values (${id}, ${version}::int, ${status}, ${rest.start}::timestamptz, ${rest.end}::timestamptz, ${rest.timezone}, ${rest.doctorId}, ${rest.patientId},
                ${rest.createdAt}::timestamptz, ${entersCalendars})
        on conflict (id) do update
           set version = excluded.version, status = excluded.status, start_at = excluded.start_at, end_at = excluded.end_at,
               in_calendars = appointments.in_calendars or excluded.in_calendars
         where appointments.version < excluded.version
        returning coalesce((select in_calendars from before), false) as was_in_calendars`
  )
