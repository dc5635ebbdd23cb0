import SQL from 'sql-template-strings'
import { type Db, run } from '#platform/data/db'
import type { EventData } from '#platform/events/events'
import { cancelFuture } from '../appointments/cancel-future.ts'
import { lockCalendar } from '../appointments/queries.ts'
import { fold } from '../doctors/model.ts'

const ANONYMOUS = 'Anonymous'

/**
 * Forgets a person: what lies ahead is cancelled, names and texts go, whoever wrote them, and the bare record of bookings stays under a name that says
 * nothing. Two locks let nothing through that is being written at this moment: the person's own, which bookings and every other write of the person
 * hold, and those of the appointments, which the other party holds while writing.
 */
export async function forget(tx: Db, { id, role, version }: EventData<'healthmed.user.erased.v1'>, now: Temporal.Instant): Promise<void> {
  const name = `${ANONYMOUS} ${crypto.randomUUID().slice(0, 8)}`
  await lockCalendar(tx, id)
  await run(
    tx,
    SQL`insert into people (id, role, name, email_verified, disabled, erased, version) values (${id}, ${role}, ${name}, false, true, true, ${version})
        on conflict (id) do update set name = excluded.name, email_verified = false, disabled = true, erased = true, version = excluded.version`
  )
  await run(
    tx,
    SQL`update doctors set name = ${name}, name_folded = ${fold(name)}, crm = null, bio = null, disabled = true, schedule_version = schedule_version + 1
         where id = ${id}`
  )
  // before the appointments: an offer that is being made has its place locked, and is there once the place is free
  await run(tx, SQL`delete from waitlist where patient_id = ${id}::uuid`)
  await run(tx, SQL`update waitlist set status = 'done' where doctor_id = ${id}::uuid and status <> 'done'`)
  await run(
    tx,
    SQL`select 1 from appointments
         where (doctor_id = ${id}::uuid or patient_id = ${id}::uuid) and status in ('held', 'requested', 'confirmed') order by id for update`
  )
  await forgetTexts(tx, id, name)
  await run(tx, SQL`update appointments set status = 'released' where patient_id = ${id}::uuid and status = 'held'`)
  await cancelFuture(tx, id, 'account closed', now)
  await run(tx, SQL`delete from calendar_feeds where person_id = ${id}::uuid`)
  await run(tx, SQL`delete from exceptions where doctor_id = ${id}::uuid`)
  // answers kept for the other party name this one
  await run(tx, SQL`delete from idempotency_keys where caller_id = ${id}::uuid or ${id} in (body->'patient'->>'id', body->'doctor'->>'id')`)
}

/** The reason for a visit is the patient's. Why it was declined, cancelled and the like is about both parties, whoever wrote it. */
async function forgetTexts(tx: Db, id: string, name: string): Promise<void> {
  await run(tx, SQL`update appointments set patient_name = ${name}, reason = null where patient_id = ${id}::uuid`)
  await run(
    tx,
    SQL`update appointments set status_reason = null where (doctor_id = ${id}::uuid or patient_id = ${id}::uuid) and status_reason is not null`
  )
  await run(tx, SQL`update history set reason = null where (doctor_id = ${id}::uuid or patient_id = ${id}::uuid) and reason is not null`)
  await run(
    tx,
    SQL`update outbox set data = data || '{"statusReason": null, "sealedStatusReason": null}'
         where ${id} in (data->>'doctorId', data->>'patientId') and coalesce(data->>'statusReason', data->>'sealedStatusReason') is not null`
  )
}
