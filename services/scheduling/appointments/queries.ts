import SQL, { type SQLStatement } from 'sql-template-strings'
import { type Db, maybeOne, one, rows, run } from '#platform/data/db'
import type { Role } from '#platform/identity/caller'
import { sealReason } from '../privacy/reasons.ts'
import { notice } from '../stream/notices.ts'
import type { AppointmentRow } from './model.ts'
import type { Actor, Status } from './states.ts'

/** What every answer shows, of a source named `a` with the names joined; names follow the person, and stand in for one who is not known yet. */
const columns = () => SQL`
  a.id, a.doctor_id, d.name as doctor_name, d.crm, a.patient_id, coalesce(p.name, a.patient_name) as patient_name, lower(a.during) as start,
  upper(a.during) as end, a.timezone, a.price_amount, a.price_currency, a.status, a.reason, a.status_reason, a.version, a.created_at, a.updated_at`

/** `with changed as (…)` around a statement that returns whole rows, so that its answer has the names. */
const named = (change: SQLStatement) =>
  SQL`with changed as (`
    .append(change)
    .append(SQL`) select `)
    .append(columns())
    .append(SQL` from changed a join doctors d on d.id = a.doctor_id left join people p on p.id = a.patient_id`)

const selected = () =>
  SQL`select `
    .append(columns())
    .append(SQL` from appointments a join doctors d on d.id = a.doctor_id left join people p on p.id = a.patient_id`)

/** The appointment if the person is a party to it: somebody else's is no row. */
export const findAppointment = (db: Db, id: string, partyId: string) =>
  maybeOne<AppointmentRow>(
    db,
    selected().append(
      SQL` where a.id = ${id}::uuid and ${partyId}::uuid in (a.doctor_id, a.patient_id) and a.status not in ('held', 'released')`
    )
  )

/** A row with what decides on its changes; `expiresAt` is until when a request may be answered. */
export type LockedRow = AppointmentRow & {
  expiresAt: Date | null
  /** The time that a move gave up and that no confirmation has replaced. */
  movedFrom: Date | null
  cancellationNoticeMinutes: number
  autoConfirm: boolean
  answerWithinMinutes: number
}

/** The same, locked until the transaction ends, with what the doctor's rules say on changes. */
export const lockAppointment = (db: Db, id: string, partyId: string | null) =>
  maybeOne<LockedRow>(
    db,
    SQL`select `.append(columns()).append(
      SQL`, a.expires_at, a.moved_from, d.cancellation_notice_minutes, d.auto_confirm, d.answer_within_minutes
              from appointments a join doctors d on d.id = a.doctor_id left join people p on p.id = a.patient_id
             where a.id = ${id}::uuid and (${partyId}::uuid is null or ${partyId}::uuid in (a.doctor_id, a.patient_id))
               and a.status not in ('held', 'released')
               for update of a`
    )
  )

/** Sets the state and the reason given for it; the version rises. */
export const setStatus = (db: Db, id: string, { status, reason, now }: { status: Status; reason: string | null; now: Date }) =>
  one<AppointmentRow>(
    db,
    named(SQL`update appointments set status = ${status}, status_reason = ${sealReason(reason, 'appointments.status_reason', id)}, expires_at = null,
                      version = version + 1, updated_at = ${now},
                      moved_from = case when ${status} = 'confirmed' then null else moved_from end
               where id = ${id}::uuid returning *`)
  )

/** The new slot and status of a moved appointment. Times in Unix ms; `bufferedEnd` is the end plus the doctor's buffer. */
export type Move = { start: number; end: number; bufferedEnd: number; status: Status; expiresAt: Date | null; now: Date }

/** Moves an appointment in one step: the old time is given up and the new one claimed, or nothing happens. */
export const moveRow = (db: Db, id: string, { start, end, bufferedEnd, status, expiresAt, now }: Move) =>
  one<AppointmentRow>(
    db,
    named(SQL`update appointments
                 set during = tstzrange(${new Date(start)}::timestamptz, ${new Date(end)}::timestamptz),
                     doctor_during = tstzrange(${new Date(start)}::timestamptz, ${new Date(bufferedEnd)}::timestamptz),
                     status = ${status}, status_reason = null, expires_at = ${expiresAt}::timestamptz, version = version + 1, updated_at = ${now},
                     moved_from = case when ${status} = 'confirmed' then null when status = 'confirmed' then lower(during)
                                       else coalesce(moved_from, lower(during)) end
               where id = ${id}::uuid returning *`)
  )

/** Turns a hold into the appointment, in place. */
export const bookHeldRow = (
  db: Db,
  id: string,
  { status, reason, expiresAt, now }: { status: Status; reason: string | null; expiresAt: Date; now: Date }
) =>
  one<AppointmentRow>(
    db,
    named(SQL`update appointments set status = ${status}, reason = ${sealReason(reason, 'appointments.reason', id)}, expires_at = ${expiresAt}, created_at = ${now}, updated_at = ${now}
               where id = ${id}::uuid returning *`)
  )

/** A new entry of the audit trail: who did what, and from which status. */
type NewHistoryEntry = { action: string; actorId: string | null; actorRole: Actor; from: Status | null; reason: string | null; at: Date }

/** Adds an entry to the audit trail and notifies the event streams of both parties. */
export async function recordHistory(
  db: Db,
  row: AppointmentRow,
  { action, actorId, actorRole, from, reason, at }: NewHistoryEntry
): Promise<void> {
  await run(
    db,
    SQL`insert into history (appointment_id, doctor_id, patient_id, at, actor_id, actor_role, action, from_status, to_status, reason, version)
        values (${row.id}, ${row.doctorId}, ${row.patientId}, ${at}, ${actorId}, ${actorRole}, ${action}, ${from}, ${row.status},
                ${sealReason(reason, 'history.reason', row.id)}, ${row.version})`
  )
  notice(db, row)
}

/** A filter over the appointments of one patient or doctor. `after` is where the last page ended. */
export type AppointmentQuery = {
  partyId: string
  role: Role
  status: string | null
  from: Date | null
  to: Date | null
  descending: boolean
  after: [string, string] | null
  limit: number
}

/**
 * One's own appointments, by their start. What is not asked for stands in the statement as an end of time, so that one plan serves every question and
 * reads of an index only what is answered; with `is null or` and both parties in one, each question was planned anew. Without a cursor the id is null,
 * and never compared: no appointment starts at an end of time.
 */
export const listAppointments = (db: Db, { partyId, role, status, from, to, descending, after, limit }: AppointmentQuery) => {
  const [start, id] = after ?? [null, null]
  const own = selected()
    .append(role === 'doctor' ? SQL` where a.doctor_id = ${partyId}::uuid` : SQL` where a.patient_id = ${partyId}::uuid`)
    .append(
      SQL` and a.status not in ('held', 'released') and (${status}::text is null or a.status = ${status}::text)
           and lower(a.during) >= coalesce(${from}::timestamptz, '-infinity') and lower(a.during) < coalesce(${to}::timestamptz, 'infinity')`
    )
  return rows<AppointmentRow>(
    db,
    descending
      ? own.append(SQL` and (lower(a.during), a.id) < (coalesce(${start}::timestamptz, 'infinity'), ${id}::uuid)
                        order by lower(a.during) desc, a.id desc limit ${limit}`)
      : own.append(SQL` and (lower(a.during), a.id) > (coalesce(${start}::timestamptz, '-infinity'), ${id}::uuid)
                        order by lower(a.during), a.id limit ${limit}`)
  )
}

/** One entry of the audit trail. */
export type HistoryRow = {
  at: Date
  actorId: string | null
  actorRole: Actor
  action: string
  fromStatus: string | null
  toStatus: string
  reason: string | null
}

/** The audit trail of an appointment, in order. */
export const historyOf = (db: Db, id: string) =>
  rows<HistoryRow>(
    db,
    SQL`select at, actor_id, actor_role, action, from_status, to_status, reason from history where appointment_id = ${id}::uuid order by seq`
  )

/** Keeps others who move, in the order of the keys, so that no two wait for each other. */
export const lockCalendars = async (db: Db, doctorId: string, patientId: string): Promise<void> => {
  for (const id of [doctorId, patientId].sort()) await lockCalendar(db, id)
}

/** One writer at a time for one person's calendar, until the transaction ends. */
export const lockCalendar = (db: Db, id: string) => run(db, SQL`select pg_advisory_xact_lock(hashtextextended(${id}, 7))`)

/** One claim at a time of one patient, and of one client on one doctor, until the transaction ends: what counts claims counts all of them. */
export const lockClaims = (db: Db, patientId: string, doctorId: string, client: string | null) =>
  run(
    db,
    SQL`select pg_advisory_xact_lock(hashtextextended(${patientId}, 7)), pg_advisory_xact_lock(hashtextextended(${client && `${client} ${doctorId}`}::text, 8))`
  )
