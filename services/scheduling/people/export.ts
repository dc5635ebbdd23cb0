import SQL from 'sql-template-strings'
import { maybeOne, rows, type Sql } from '#platform/data/db'
import type { Caller } from '#platform/identity/caller'
import { type AppointmentRow, appointmentOf } from '../appointments/model.ts'
import { listAppointments } from '../appointments/queries.ts'
import { openReason } from '../privacy/reasons.ts'

/** All that scheduling holds on a person, for the export that the law grants (LGPD art. 18). */
export async function exportOf(sql: Sql, { id: personId, role, isRejected }: Pick<Caller, 'id' | 'role' | 'isRejected'>) {
  const question = { partyId: personId, role, status: null, from: null, to: null, descending: false, after: null, limit: 100_000 }
  const appointments = await listAppointments(sql, question)
  const doctor = await maybeOne(
    sql,
    SQL`select name, crm, approval, specialties, bio, timezone, rules, slot_minutes from doctors where id = ${personId}`
  )
  const exceptions = await rows<{ id: string; reason: string | null }>(
    sql,
    SQL`select id, kind, from_date as from, to_date as to, start_time as start, end_time as end, reason from exceptions
         where doctor_id = ${personId} order by from_date, id`
  )
  const waitlist = await rows(
    sql,
    SQL`select doctor_id, from_date as from, to_date as to, status, created_at from waitlist where patient_id = ${personId} order by id`
  )
  return {
    appointments: appointments.map(isRejected ? withoutPatient : appointmentOf),
    doctor: doctor ?? null,
    exceptions: exceptions.map(exceptionInClear),
    waitlist
  }
}

/** A rejected doctor's own part of an appointment: nothing of the patient. */
function withoutPatient(row: AppointmentRow) {
  const { patient, reason, statusReason, ...own } = appointmentOf(row)
  return own
}

const exceptionInClear = ({ id, reason, ...exception }: { id: string; reason: string | null }) => ({
  ...exception,
  reason: openReason(reason, 'exceptions.reason', id)
})
