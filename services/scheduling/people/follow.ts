import SQL from 'sql-template-strings'
import { type Db, run } from '#platform/data/db'
import type { UserSnapshot } from '#platform/events/events'
import type { Handlers } from '#platform/events/inbox'
import { cancelFuture } from '../appointments/cancel-future.ts'
import { lockCalendar } from '../appointments/queries.ts'
import { fold } from '../doctors/model.ts'
import { forget } from './forget.ts'

/** What scheduling learns of people: names, verified addresses, and whether a doctor may be listed. An older snapshot changes nothing. */
export const peopleHandlers = (clock: () => Temporal.Instant): Handlers => ({
  'healthmed.user.registered.v1': (tx, { data }) => follow(tx, data, clock()),
  'healthmed.user.updated.v1': (tx, { data }) => follow(tx, data, clock()),
  'healthmed.user.access_revoked.v1': (tx, { id, data }) => revoke(tx, data.id, id),
  'healthmed.user.erased.v1': (tx, { data }) => forget(tx, data, clock())
})

async function follow(tx: Db, user: UserSnapshot, now: Temporal.Instant): Promise<void> {
  const isOut = user.disabled || user.approval === 'rejected'
  // what the person is writing at this moment comes first, and what comes later is refused
  if (isOut) await lockCalendar(tx, user.id)
  const fresh = await run(
    tx,
    SQL`insert into people (id, role, name, email_verified, disabled, version)
        values (${user.id}, ${user.role}, ${user.name}, ${user.emailVerified}, ${user.disabled}, ${user.version})
        on conflict (id) do update
           set name = excluded.name, email_verified = excluded.email_verified, disabled = excluded.disabled, version = excluded.version
         where people.version < excluded.version and not people.erased`
  )
  if (fresh === 0) return
  if (user.disabled) await endClaims(tx, user.id, now)
  if (user.role !== 'doctor') return
  await run(
    tx,
    SQL`insert into doctors (id, name, name_folded, crm, approval, disabled, timezone)
        values (${user.id}, ${user.name}, ${fold(user.name)}, ${user.crm}, ${user.approval}, ${user.disabled}, ${user.timezone})
        on conflict (id) do update
           set name = excluded.name, name_folded = excluded.name_folded, crm = excluded.crm, approval = excluded.approval, disabled = excluded.disabled,
               schedule_version = doctors.schedule_version + 1`
  )
  if (isOut) await cancelFuture(tx, user.id, 'doctor unavailable', now)
}

/** Ends what a disabled person has claimed and not booked: waitlist places, and holds, which the expiry job then passes on. */
async function endClaims(tx: Db, patientId: string, now: Temporal.Instant): Promise<void> {
  const at = new Date(now.epochMilliseconds)
  await run(tx, SQL`update waitlist set status = 'done' where patient_id = ${patientId}::uuid and status = 'waiting'`)
  await run(
    tx,
    SQL`update appointments set expires_at = ${at}
         where patient_id = ${patientId}::uuid and status = 'held' and expires_at > ${at}::timestamptz`
  )
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
