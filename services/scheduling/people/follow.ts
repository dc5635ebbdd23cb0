import SQL from 'sql-template-strings'
import { type Db, rows, run } from '#platform/db'
import type { EventData, UserSnapshot } from '#platform/events'
import type { Handlers } from '#platform/inbox'
import { apply } from '../appointments/change.ts'
import { lockAppointment, lockCalendar } from '../appointments/queries.ts'
import { fold } from '../doctors/model.ts'

/** What scheduling learns of people: names, verified addresses, and whether a doctor may be listed. An older snapshot changes nothing. */
export const peopleHandlers = (clock: () => Temporal.Instant): Handlers => ({
  'healthmed.user.registered.v1': (tx, { data }) => follow(tx, data, clock()),
  'healthmed.user.updated.v1': (tx, { data }) => follow(tx, data, clock()),
  'healthmed.user.access_revoked.v1': (tx, { id, data }) => revoke(tx, data.id, id),
  'healthmed.user.erased.v1': (tx, { data }) => forget(tx, data, clock())
})

async function follow(tx: Db, user: UserSnapshot, now: Temporal.Instant): Promise<void> {
  const fresh = await run(
    tx,
    SQL`insert into people (id, role, name, email_verified, disabled, version)
        values (${user.id}, ${user.role}, ${user.name}, ${user.emailVerified}, ${user.disabled}, ${user.version})
        on conflict (id) do update
           set name = excluded.name, email_verified = excluded.email_verified, disabled = excluded.disabled, version = excluded.version
         where people.version < excluded.version and not people.erased`
  )
  if (fresh === 0 || user.role !== 'doctor') return
  await run(
    tx,
    SQL`insert into doctors (id, name, name_folded, crm, approval, disabled, timezone)
        values (${user.id}, ${user.name}, ${fold(user.name)}, ${user.crm}, ${user.approval}, ${user.disabled}, ${user.timezone})
        on conflict (id) do update
           set name = excluded.name, name_folded = excluded.name_folded, crm = excluded.crm, approval = excluded.approval, disabled = excluded.disabled,
               schedule_version = doctors.schedule_version + 1`
  )
  if (user.disabled || user.approval === 'rejected') await cancelFuture(tx, user.id, 'doctor unavailable', now)
}

/** Voids what sessions before the event `eventId` have set up. A feed that a later session made stays, also where the event comes late or again. */
async function revoke(tx: Db, personId: string, eventId: string): Promise<void> {
  // whoever is making a feed at this moment comes first
  await lockCalendar(tx, personId)
  await run(
    tx,
    SQL`update people set revoked_before = greatest(coalesce(revoked_before, ${eventId}::uuid), ${eventId}::uuid) where id = ${personId}::uuid`
  )
  await run(
    tx,
    SQL`delete from calendar_feeds where person_id = ${personId}::uuid and (session_id is null or session_id < ${eventId}::uuid)`
  )
}

/** Cancels what lies ahead, in the name of the system; both parties are told by the events. */
async function cancelFuture(tx: Db, personId: string, reason: string, now: Temporal.Instant): Promise<void> {
  const ahead = await rows<{ id: string }>(
    tx,
    SQL`select id from appointments
         where (doctor_id = ${personId}::uuid or patient_id = ${personId}::uuid) and status in ('requested', 'confirmed')
           and lower(during) > ${new Date(now.epochMilliseconds)}::timestamptz
         order by id`
  )
  for (const { id } of ahead) {
    const row = await lockAppointment(tx, id, null)
    if (row && (row.status === 'requested' || row.status === 'confirmed'))
      await apply(tx, 'cancel', row, { id: null, role: 'system' }, reason, now)
  }
}

const ANONYMOUS = 'Anonymous'

/** Forgets a person: what lies ahead is cancelled, names and reasons go, the bare record of bookings stays under a name that says nothing. */
async function forget(tx: Db, { id, role, version }: EventData<'healthmed.user.erased.v1'>, now: Temporal.Instant): Promise<void> {
  const name = `${ANONYMOUS} ${crypto.randomUUID().slice(0, 8)}`
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
  await cancelFuture(tx, id, 'account closed', now)
  await run(tx, SQL`update appointments set patient_name = ${name}, reason = null where patient_id = ${id}::uuid`)
  await run(tx, SQL`update appointments set status = 'released' where patient_id = ${id}::uuid and status = 'held'`)
  await run(
    tx,
    SQL`update appointments set status_reason = null
         where id in (select appointment_id from history where actor_id = ${id}::uuid and reason is not null)`
  )
  await run(tx, SQL`update history set reason = null where actor_id = ${id}::uuid`)
  await run(tx, SQL`update outbox set data = data || '{"statusReason": null}' where data->'actor'->>'id' = ${id}`)
  await run(tx, SQL`delete from waitlist where patient_id = ${id}::uuid`)
  await run(tx, SQL`delete from calendar_feeds where person_id = ${id}::uuid`)
  await run(tx, SQL`delete from exceptions where doctor_id = ${id}::uuid`)
  // answers kept for the other party name this one
  await run(tx, SQL`delete from idempotency_keys where caller_id = ${id}::uuid or ${id} in (body->'patient'->>'id', body->'doctor'->>'id')`)
}
