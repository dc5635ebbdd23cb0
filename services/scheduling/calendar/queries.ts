import SQL from 'sql-template-strings'
import { type Db, rows } from '#platform/data/db'
import type { Role } from '#platform/identity/caller'
import type { EntryRow } from './file.ts'

/** Most entries of each kind that is limited. */
const SHOWN = 500
/** Of what ended, so many are looked at: most of them may never have been confirmed. */
const LOOKED_AT = 2_000
const PAST_DAYS = 90

/**
 * What a feed lists, in its order: first all that is ahead, soonest first; then what is ahead no more because it was cancelled; then the past, newest
 * first. What ended without ever being confirmed is nowhere. What is ahead is found in the index of claimed time, where nothing else is.
 */
export const feedEntries = (db: Db, { personId, role }: { personId: string; role: Role }, now: Temporal.Instant) => {
  const at = new Date(now.epochMilliseconds)
  const from = new Date(now.epochMilliseconds - PAST_DAYS * 86_400_000)
  const own = () => (role === 'doctor' ? SQL`a.doctor_id = ${personId}::uuid` : SQL`a.patient_id = ${personId}::uuid`)
  const ahead =
    role === 'doctor'
      ? SQL` and a.doctor_during && tstzrange(${at}::timestamptz, null)`
      : SQL` and a.during && tstzrange(${at}::timestamptz, null)`
  return rows<EntryRow>(
    db,
    SQL`with ahead as materialized (
          select a.* from appointments a
           where `
      .append(own())
      .append(ahead)
      .append(SQL` and a.status in ('requested', 'confirmed') and upper(a.during) > ${at}::timestamptz),
        cancelled as materialized (
          select * from (
            select a.* from appointments a
             where `)
      .append(own())
      .append(SQL` and lower(a.during) >= ${at}::timestamptz and a.status in ('declined', 'cancelled', 'expired')
             order by lower(a.during), a.id limit ${LOOKED_AT}) e
           where exists (select 1 from history h where h.appointment_id = e.id and h.to_status = 'confirmed')
           order by lower(during), id limit ${SHOWN}),
        past as materialized (
          select * from (
            select a.* from appointments a
             where `)
      .append(own())
      .append(SQL` and lower(a.during) >= ${from}::timestamptz and lower(a.during) < ${at}::timestamptz
               and (a.status in ('completed', 'no_show', 'declined', 'cancelled', 'expired')
                    or (a.status = 'confirmed' and upper(a.during) <= ${at}::timestamptz))
             order by lower(a.during) desc, a.id desc limit ${LOOKED_AT}) e
           where e.status in ('completed', 'no_show', 'confirmed')
              or exists (select 1 from history h where h.appointment_id = e.id and h.to_status = 'confirmed')
           order by lower(during) desc, id desc limit ${SHOWN})
        select a.id, d.name as doctor_name, coalesce(p.name, a.patient_name) as patient_name, lower(a.during) as start, upper(a.during) as end,
               a.status, a.version, a.created_at, a.updated_at
          from (select 1 as part, * from ahead union all select 2, * from cancelled union all select 3, * from past) a
               join doctors d on d.id = a.doctor_id left join people p on p.id = a.patient_id
         order by a.part, case when a.part < 3 then lower(a.during) end, lower(a.during) desc, a.id`)
  )
}
