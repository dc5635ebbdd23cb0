import { afterAll, beforeAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { connect, one, rows, run, type Sql } from '#platform/data/db'
import { eventually } from '#platform/testing/testing'
import { type Rig, someAppointment, someDoctor, someEvent, somePatient, startRig } from '../testing/testing.ts'
import { type Ended, renew, settle } from './queries.ts'

let rig: Rig
let other: Sql
beforeAll(async () => {
  rig = await startRig({ connections: 4 })
  other = connect(rig.database.url, { name: 'test', max: 8 })
})
afterAll(async () => {
  await other?.end()
  await rig?.stop()
})

const shuffled = <T>(list: T[]) => [...list].sort(() => Math.random() - 0.5)
const deadlocks = async () =>
  (await one<{ count: number }>(other, SQL`select deadlocks::int as count from pg_stat_database where datname = current_database()`)).count

test('attempts that end while claims are renewed never wait for each other in a circle', async () => {
  const worker = crypto.randomUUID()
  const ids = Array.from({ length: 60 }, () => Bun.randomUUIDv7())
  await run(
    other,
    SQL`insert into mails (id, event_id, event_type, event_at, template, recipient_id, data, status, request_id, traceparent, lease_token, due_at, created_at)
        select id, gen_random_uuid(), 'test', now(), 'reminder_1h', gen_random_uuid(), '{}', 'sending', 'r', 't', ${worker}::uuid, now() + interval '1 hour', now()
          from unnest(${ids}::uuid[]) as id`
  )
  const now = new Date(Date.now() + 3_600_000)
  const refused = (id: string): Ended => ({ id, outcome: { result: 'refused', reply: '451', tryAgainAt: now }, now })
  for (let round = 0; round < 40; round++) {
    const [settled] = await Promise.all([
      settle(other, worker, shuffled(ids).map(refused)),
      ...Array.from({ length: 5 }, () => renew(other, worker, shuffled(ids), now))
    ])
    expect(settled.every(Boolean)).toBe(true)
    await run(other, SQL`update mails set status = 'sending', lease_token = ${worker}::uuid where id = any(${ids}::uuid[])`)
  }
  expect(await deadlocks()).toBe(0)
  await run(other, SQL`delete from deliveries where mail_id = any(${ids}::uuid[])`)
  await run(other, SQL`delete from mails where id = any(${ids}::uuid[])`)
}, 60_000)

test('a mail that was taken is not sent again because the database failed when that was to be written down', async () => {
  const [doctor, patient] = [someDoctor(), somePatient()]
  await rig.publish(...[doctor, patient].map((person) => someEvent('healthmed.user.registered.v1', person)))
  const owner = connect(rig.database.ownerUrl, { name: 'test', max: 1 })
  // a sequence counts tries that came to nothing, too
  await owner.unsafe(`create sequence tries; grant usage on sequence tries to public;
    create function fail_twice() returns trigger language plpgsql as $$
      begin if nextval('tries') <= 2 then raise exception 'out of order' using errcode = '57014'; end if; return null; end $$;
    create trigger fail_twice before insert on deliveries for each statement execute function fail_twice()`)
  await rig.publish(someEvent('healthmed.appointment.requested.v1', someAppointment(doctor, patient)))
  const sent = await eventually(async () => {
    const mails = await rows<{ attempts: number }>(
      rig.sql,
      SQL`select attempts from mails where recipient_id = ${patient.id} and status = 'sent'`
    )
    return mails.length > 0 && mails
  })
  const { tries } = await one<{ tries: number }>(owner, SQL`select last_value::int as tries from tries`)
  await owner.end()
  expect([sent.map(({ attempts }) => attempts), rig.sink.to(patient.email).length]).toEqual([[1], 1])
  expect(tries).toBeGreaterThan(2)
})

test('an answer of a mail server that no column can hold is written down without what it cannot, and with the others', async () => {
  const worker = crypto.randomUUID()
  const ids = Array.from({ length: 5 }, () => Bun.randomUUIDv7())
  await run(
    other,
    SQL`insert into mails (id, event_id, event_type, event_at, template, recipient_id, data, status, request_id, traceparent, lease_token, due_at, created_at)
        select id, gen_random_uuid(), 'test', now(), 'reminder_1h', gen_random_uuid(), '{}', 'sending', 'r', 't', ${worker}::uuid, now() + interval '1 hour', now()
          from unnest(${ids}::uuid[]) as id`
  )
  const ended = ids.map(
    (id, nth): Ended => ({ id, outcome: { result: 'failed', reply: nth === 2 ? '550 \0no\0' : '550 no' }, now: new Date() })
  )
  expect(await settle(other, worker, ended)).toEqual(ids.map(() => true))
  const kept = await rows<{ lastError: string }>(other, SQL`select last_error from mails where id = any(${ids}::uuid[])`)
  expect(kept.map(({ lastError }) => lastError)).toEqual(ids.map(() => '550 no'))
})

test('a claimed mail that cannot be read holds no other up', async () => {
  const people = [somePatient(), somePatient(), somePatient()]
  for (const person of people) await rig.publish(someEvent('healthmed.user.registered.v1', person))
  await eventually(
    async () => (await rows(other, SQL`select 1 from people where id = any(${people.map(({ id }) => id)}::uuid[])`)).length === 3
  )
  const bad = Bun.randomUUIDv7()
  const mails = [
    { id: bad, to: bad, data: { offer: { doctorId: 'nobody' } } },
    ...people.map(({ id }) => ({ id: Bun.randomUUIDv7(), to: id, data: {} }))
  ]
  await run(
    other,
    SQL`insert into mails (id, event_id, event_type, event_at, template, recipient_id, data, request_id, traceparent, due_at, created_at)
        select id, gen_random_uuid(), 'test', now(), 'doctor_approved', "to", data, 'r', 't', now(), now()
          from jsonb_to_recordset(${{ mails }}::jsonb -> 'mails') as m(id uuid, "to" uuid, data jsonb)`
  )
  for (const { email } of people) await rig.mailsTo(email, 1)
  await run(other, SQL`delete from mails where id = ${bad}`)
})
