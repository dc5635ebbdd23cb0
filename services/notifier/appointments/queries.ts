import SQL from 'sql-template-strings'
import { batchedOn } from '#platform/data/batch'
import { type Db, rows } from '#platform/data/db'
import type { AppointmentSnapshot } from '#platform/events/events'

type Kept = { wasInCalendars: boolean }

/** Keeps the newest state of an appointment. Gives whether it stood in calendars before; undefined where a newer state is known already. */
export const keepState = (tx: Db, snapshot: AppointmentSnapshot, entersCalendars: boolean): Promise<Kept | undefined> =>
  keepTogether(tx, { snapshot, entersCalendars })

const keepTogether = batchedOn(async (tx: Db, states: { snapshot: AppointmentSnapshot; entersCalendars: boolean }[]) => {
  const items = states.map(({ snapshot: { id, version, status, ...rest }, entersCalendars }) => ({
    id,
    version,
    status,
    start_at: rest.start,
    end_at: rest.end,
    timezone: rest.timezone,
    doctor_id: rest.doctorId,
    patient_id: rest.patientId,
    booked_at: rest.createdAt,
    in_calendars: entersCalendars
  }))
  const kept = await rows<Kept & { id: string }>(
    tx,
    SQL`with before as materialized (select id, in_calendars from appointments where id = any(${items.map(({ id }) => id)}::uuid[]))
        insert into appointments (id, version, status, start_at, end_at, timezone, doctor_id, patient_id, booked_at, in_calendars)
        select * from jsonb_to_recordset(${{ items }}::jsonb -> 'items')
               as a(id uuid, version int, status text, start_at timestamptz, end_at timestamptz, timezone text, doctor_id uuid, patient_id uuid,
                    booked_at timestamptz, in_calendars boolean)
        on conflict (id) do update
           set version = excluded.version, status = excluded.status, start_at = excluded.start_at, end_at = excluded.end_at,
               in_calendars = appointments.in_calendars or excluded.in_calendars
         where appointments.version < excluded.version
        returning id, coalesce((select before.in_calendars from before where before.id = appointments.id), false) as was_in_calendars`
  )
  const byId = new Map(kept.map((row) => [row.id, row]))
  return states.map(({ snapshot }) => byId.get(snapshot.id))
})
