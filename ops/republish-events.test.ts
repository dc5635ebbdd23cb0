import { afterAll, beforeEach, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { connect, one, rows, run } from '#platform/data/db'
import { consumers } from '#platform/events/events'
import { testDatabase } from '#platform/testing/testing'
import { handlersOf } from '../services/notifier/handlers.ts'
import { secrets } from '../services/notifier/testing/testing.ts'
import { peopleHandlers } from '../services/scheduling/people/follow.ts'
import { republishEvents, WHILE_SERVICES_RUN } from './republish-events.ts'

const database = await testDatabase('auth')
const admin = connect(database.adminUrl, { name: 'test', max: 2 })
afterAll(async () => {
  await admin.end({ timeout: 1 })
  await database.close()
})
beforeEach(async () => {
  await admin.unsafe('truncate auth.outbox, scheduling.outbox, scheduling.inbox, notifier.inbox, notifier.dead_letters')
})
const place = { adminUrl: process.env.TEST_POSTGRES_URL ?? '', database: database.name, passwords: {} }

type Made = { id: string; subject: string; seq: number }
const snapshot = (id: string) => ({ id, name: 'Zoë', email: 'zoe@example.com' })
const sent = (
  type: string,
  { publisher = 'auth', data = snapshot, daysAgo = 1 }: { publisher?: string; data?: (id: string) => object; daysAgo?: number } = {}
) => {
  const subject = Bun.randomUUIDv7()
  return one<Made>(
    admin,
    SQL`insert into `.append(`${publisher}.outbox`).append(
      SQL` (id, type, subject, data, traceparent, request_id, sent_at, attempts, last_error)
           values (${Bun.randomUUIDv7()}, ${type}, ${subject}, ${data(subject)}, 't', 'r', now() - make_interval(days => ${daysAgo}), 3, 'x')
           returning id, subject, seq`
    )
  )
}
const handled = (service: string, { id }: Made) =>
  run(admin, SQL`insert into `.append(`${service}.inbox`).append(SQL` (event_id, type, done_at) values (${id}, 't', now())`))
const dead = (service: string, { id }: Made) =>
  run(
    admin,
    SQL`insert into notifier.dead_letters (id, queue, type, message_id, reason, content, failed_at, received_at)
        values (${Bun.randomUUIDv7()}, ${`${service}.events.v1`}, 't', ${id}, 'x', 'x', now(), now())`
  )
const inLine = async (publisher = 'auth') =>
  (
    await rows<{ id: string }>(admin, SQL`select id from `.append(`${publisher}.outbox`).append(SQL` where sent_at is null order by seq`))
  ).map(({ id }) => id)

test('the services read what the table of consumers says: the queues are declared from it', () => {
  expect([...consumers.scheduling].sort()).toEqual(Object.keys(peopleHandlers(() => Temporal.Now.instant())).sort())
  expect([...consumers.notifier].sort()).toEqual(Object.keys(handlersOf(secrets)).sort())
})

test('an event goes out again exactly where a service that reads it lacks it', async () => {
  const [byBoth, byNotifier, byScheduling, byNone] = [
    await sent('healthmed.user.registered.v1'),
    await sent('healthmed.user.updated.v1'),
    await sent('healthmed.user.registered.v1'),
    await sent('healthmed.user.registered.v1', { daysAgo: 13 })
  ]
  for (const event of [byBoth, byNotifier]) await handled('notifier', event)
  for (const event of [byBoth, byScheduling]) await handled('scheduling', event)
  // one that scheduling does not read
  const mail = await sent('healthmed.user.password_reset_requested.v1')
  const mailed = await sent('healthmed.user.password_reset_requested.v1')
  await handled('notifier', mailed)
  const [visit, visited] = [
    await sent('healthmed.appointment.confirmed.v1', { publisher: 'scheduling' }),
    await sent('healthmed.appointment.confirmed.v1', { publisher: 'scheduling' })
  ]
  await handled('notifier', visited)

  expect(await republishEvents(place)).toEqual({ events: 5, lost: 0, needsUsers: false })
  expect(await inLine()).toEqual([byNotifier, byScheduling, byNone, mail].map(({ id }) => id))
  expect(await inLine('scheduling')).toEqual([visit.id])
  const { attempts, lastError } = await one<{ attempts: number; lastError: string | null }>(
    admin,
    SQL`select attempts, last_error from auth.outbox where id = ${byNone.id}`
  )
  expect([attempts, lastError]).toEqual([0, null])
  // again, before anything has left
  expect(await republishEvents(place)).toEqual({ events: 0, lost: 0, needsUsers: false })
})

test('what waits for another try or lies with the dead letters is not published again', async () => {
  const waits = await sent('healthmed.doctor.rejected.v1', { data: (id) => ({ id, reason: 'x' }) })
  await run(admin, SQL`insert into notifier.inbox (event_id, type, next_try_at, event) values (${waits.id}, 't', now(), '{}')`)
  await dead('notifier', await sent('healthmed.doctor.rejected.v1', { data: (id) => ({ id, reason: 'x' }) }))
  const halfDead = await sent('healthmed.user.updated.v1')
  await dead('notifier', halfDead)
  expect(await republishEvents(place)).toMatchObject({ events: 1 })
  expect(await inLine()).toEqual([halfDead.id])
})

test('the order of a subject is kept, and what was in line already stays', async () => {
  const first = await sent('healthmed.user.registered.v1')
  const second = await sent('healthmed.user.updated.v1')
  await run(admin, SQL`update auth.outbox set subject = ${first.subject} where id = ${second.id}`)
  await run(admin, SQL`update auth.outbox set sent_at = null where id = ${second.id}`)
  expect(await republishEvents(place)).toMatchObject({ events: 1 })
  expect(await inLine()).toEqual([first.id, second.id])
})

test('events that the previous release blanked are told anew from the account, an erasure by its id, links are counted as lost', async () => {
  const blank = (id: string) => ({ id })
  const handledOne = await sent('healthmed.user.registered.v1', { data: blank })
  for (const service of ['scheduling', 'notifier']) await handled(service, handledOne)
  expect(await republishEvents(place)).toEqual({ events: 0, lost: 0, needsUsers: false })
  await sent('healthmed.user.registered.v1', { data: blank })
  await sent('healthmed.user.verification_requested.v1', { data: blank })
  const erased = await sent('healthmed.user.erased.v1', { data: blank })
  const approved = await sent('healthmed.doctor.approved.v1', { data: blank })
  expect(await republishEvents(place)).toEqual({ events: 2, lost: 1, needsUsers: true })
  expect(await inLine()).toEqual([erased.id, approved.id])
  const { data } = await one<{ data: object }>(admin, SQL`select data from auth.outbox where id = ${erased.id}`)
  expect(data).toEqual({ id: erased.subject, role: 'patient', version: 2147483647 })
})

test('while services run only what every inbox still remembers for certain is looked at; else all of it', async () => {
  const old = await sent('healthmed.user.registered.v1', { daysAgo: 20 })
  const young = await sent('healthmed.user.registered.v1', { daysAgo: 13 })
  expect(await republishEvents(place, WHILE_SERVICES_RUN)).toMatchObject({ events: 1 })
  expect(await inLine()).toEqual([young.id])
  expect(await republishEvents(place)).toMatchObject({ events: 1 })
  expect(await inLine()).toEqual([old.id, young.id])
})
