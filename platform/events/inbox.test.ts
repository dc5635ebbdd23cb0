import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import type { ConsumeMessage } from 'amqplib'
import SQL from 'sql-template-strings'
import { connect, type Db, one, rows, run } from '../data/db.ts'
import { currentTrace, traceparentFrom } from '../setup/log.ts'
import { eventually, type TestDatabase, testBroker, testDatabase } from '../testing/testing.ts'
import { type Bus, connectBus, DEAD_LETTERS } from './bus.ts'
import type { Event } from './events.ts'
import { consumerOf, type Handlers, NotYet, Unprocessable } from './inbox.ts'

let database: TestDatabase
let vhost: Awaited<ReturnType<typeof testBroker>>
let bus: Bus
let stop: () => Promise<void>
type Letter = { id: string; queue: string; reason: string }
const letters: Letter[] = []
/** What the handler does with an event, by its subject; `work` by default writes an effect. */
const manners = new Map<string, (tx: Db, attempt: number) => Promise<void>>()
const attempts = new Map<string, number>()

const work: Handlers['healthmed.doctor.approved.v1'] = async (tx, event) => {
  const attempt = (attempts.get(event.id) ?? 0) + 1
  attempts.set(event.id, attempt)
  await run(
    tx,
    SQL`insert into effects (event_id, subject, trace) values (${event.id}, ${event.subject}, ${currentTrace()?.requestId ?? ''})`
  )
  await manners.get(event.subject)?.(tx, attempt)
}

beforeAll(async () => {
  database = await testDatabase('notifier')
  vhost = await testBroker()
  const owner = connect(database.ownerUrl, { name: 'test', max: 1 })
  await owner.unsafe(
    'create table effects (seq bigint generated always as identity, event_id uuid not null, subject uuid not null, trace text not null)'
  )
  await owner.end()
  const consumer = consumerOf(database.sql, 'test', { 'healthmed.doctor.approved.v1': work })
  bus = await connectBus({
    url: vhost.url,
    name: 'test',
    subscription: [
      consumer.subscription,
      {
        queue: DEAD_LETTERS,
        bindings: [],
        prefetch: 10,
        onMessage: async ({ properties: { messageId, headers } }, ack) => {
          letters.push({ id: messageId, queue: headers?.['x-queue'], reason: headers?.['x-reason'] })
          ack()
        }
      }
    ]
  })
  const consuming = consumer.start(bus)
  stop = async () => {
    await consuming.stop()
    await bus.stopConsuming()
    await bus.close()
  }
  await eventually(bus.connected)
})
beforeEach(() => {
  manners.clear()
  letters.length = 0
})
afterAll(async () => {
  await stop()
  await database.close()
  await vhost.close()
})

const event = (subject = Bun.randomUUIDv7()): Event<'healthmed.doctor.approved.v1'> => ({
  specversion: '1.0',
  id: Bun.randomUUIDv7(),
  type: 'healthmed.doctor.approved.v1',
  source: 'auth',
  subject,
  time: new Date().toISOString(),
  datacontenttype: 'application/json',
  traceparent: traceparentFrom(null),
  requestid: `request-${subject.slice(-4)}`,
  data: { id: subject }
})
const effectsOf = ({ subject }: { subject: string }) =>
  rows<{ eventId: string; trace: string }>(database.sql, SQL`select event_id, trace from effects where subject = ${subject} order by seq`)
type Waiting = { attempts: number; lastError: string | null; doneAt: Date | null; event: unknown }
const inboxOf = async ({ id }: { id: string }) =>
  (await rows<Waiting>(database.sql, SQL`select attempts, last_error, done_at, event from inbox where event_id = ${id}`))[0]
/** Makes waiting events due at once: waits are of the row, not of the process. */
const hurry = (id: string) => run(database.sql, SQL`update inbox set next_try_at = now() where event_id = ${id}`)

test('the same event twice, or five times at once, has one effect', async () => {
  const one = event()
  await Promise.all([1, 2, 3, 4, 5].map(() => bus.publish(one)))
  // of one subject all goes in its order: once this one had its effect, the five have been looked at
  const last = event(one.subject)
  await bus.publish(last)
  await eventually(async () => (await effectsOf(one)).some(({ eventId }) => eventId === last.id))
  expect((await effectsOf(one)).map(({ eventId }) => eventId)).toEqual([one.id, last.id])
})

test('a handler works in the trace of the request that caused the event', async () => {
  const one = event()
  await bus.publish(one)
  const [effect] = await eventually(async () => (await effectsOf(one)).length > 0 && effectsOf(one))
  expect(effect?.trace).toBe(one.requestid)
})

test('events of one subject are handled in the order in which they came', async () => {
  const subject = Bun.randomUUIDv7()
  // the first ones are the slowest
  manners.set(subject, async (_, attempt) => {
    if (attempt === 1) await Bun.sleep(Math.random() * 20)
  })
  const all = Array.from({ length: 20 }, () => event(subject))
  for (const one of all) await bus.publish(one)
  await eventually(async () => (await effectsOf({ subject })).length === 20)
  expect((await effectsOf({ subject })).map(({ eventId }) => eventId)).toEqual(all.map(({ id }) => id))
})

test('a handler that fails leaves nothing behind, is tried again, and then has its effect once', async () => {
  const one = event()
  manners.set(one.subject, async (_, attempt) => {
    if (attempt < 3) throw new Error('not today')
  })
  await bus.publish(one)
  const waiting = await eventually(async () => (await inboxOf(one))?.lastError && inboxOf(one))
  expect(waiting).toMatchObject({ lastError: 'not today', doneAt: null })
  expect(await effectsOf(one)).toHaveLength(0)
  await eventually(async () => {
    await hurry(one.id)
    return (await inboxOf(one))?.doneAt
  })
  expect(await effectsOf(one)).toHaveLength(1)
  expect((await inboxOf(one))?.event).toBeNull()
})

test('one that fails holds up nobody else', async () => {
  const [bad, good] = [event(), event()]
  manners.set(bad.subject, () => Promise.reject(new Error('never')))
  await bus.publish(bad)
  await bus.publish(good)
  await eventually(async () => (await effectsOf(good)).length === 1)
  expect(await effectsOf(bad)).toHaveLength(0)
})

test('while an event waits for its next try, those after it of the same subject wait behind it', async () => {
  const subject = Bun.randomUUIDv7()
  const all = Array.from({ length: 5 }, () => event(subject))
  const [first] = all
  let healed = false
  manners.set(subject, async (_, attempt) => {
    if (!healed && attempt < 1_000) throw new NotYet('not before it is healed')
  })
  for (const one of all) await bus.publish(one)
  const last = all.at(-1) as Event
  await eventually(async () => (await inboxOf(last)) !== undefined)
  expect((await inboxOf(last))?.lastError).toBe('waits behind an earlier event of its subject')
  healed = true
  await eventually(async () => {
    await hurry(first?.id ?? '')
    return (await effectsOf({ subject })).length === all.length
  })
  expect((await effectsOf({ subject })).map(({ eventId }) => eventId)).toEqual(all.map(({ id }) => id))
})

test('what fails ten times ends as a dead letter, and can run once it is put back', async () => {
  const one = event()
  manners.set(one.subject, () => Promise.reject(new Error('never')))
  await bus.publish(one)
  await eventually(async () => {
    await hurry(one.id)
    return letters.length > 0
  }, 20_000)
  expect(letters).toEqual([{ id: one.id, queue: 'test.events.v1', reason: 'never' }])
  expect(attempts.get(one.id)).toBe(10)
  manners.delete(one.subject)
  await bus.putBack('test.events.v1', Buffer.from(JSON.stringify(one)), { type: one.type, messageId: one.id })
  await eventually(async () => (await effectsOf(one)).length === 1)
})

test('what no further try can mend is a dead letter at its first retry', async () => {
  const one = event()
  manners.set(one.subject, () => Promise.reject(new Unprocessable('this is nonsense')))
  await bus.publish(one)
  await eventually(() => letters.length === 1)
  expect(letters[0]?.reason).toBe('this is nonsense')
})

test('what waits for another event is not given up after ten tries, but after a day', async () => {
  const one = event()
  manners.set(one.subject, () => Promise.reject(new NotYet('somebody is not known yet')))
  await bus.publish(one)
  await eventually(async () => {
    await hurry(one.id)
    return (attempts.get(one.id) ?? 0) > 12
  }, 20_000)
  expect(letters).toHaveLength(0)
  await run(database.sql, SQL`update inbox set received_at = now() - interval '25 hours' where event_id = ${one.id}`)
  await hurry(one.id)
  await eventually(() => letters.length === 1)
})

test('what a database error says of people is not written down', async () => {
  const one = event()
  manners.set(one.subject, async (tx) => {
    await run(tx, SQL`insert into people (id, role, locale, timezone, version) values (${'Joana Segredo'}, 'x', 'x', 'x', 1)`)
  })
  await bus.publish(one)
  const reason = await eventually(async () => (await inboxOf(one))?.lastError ?? undefined)
  expect(reason).toBe('22P02')
})

test.each([
  ['malformed JSON', '{"a":', 'not JSON'],
  ['no CloudEvent', '{"a":1}', 'the envelope is not valid'],
  ['an unknown type', JSON.stringify({ ...event(), type: 'healthmed.doctor.sainted.v1' }), 'is not known here'],
  ['an unknown version', JSON.stringify({ ...event(), type: 'healthmed.doctor.approved.v2' }), 'is not known here'],
  ['what another service than the owner of its type announces', JSON.stringify({ ...event(), source: 'scheduling' }), 'may not announce'],
  ['what an unknown service announces', JSON.stringify({ ...event(), source: 'intruder' }), 'the source intruder may not announce'],
  ['data without what its type needs', JSON.stringify({ ...event(), data: {} }), 'the data is not valid at /id']
])('%s is a dead letter at once', async (_, content, reason) => {
  await bus.putBack('test.events.v1', Buffer.from(content), { type: 'x', messageId: 'poison' })
  await eventually(() => letters.length === 1)
  expect(letters[0]?.reason).toContain(reason)
})

test('a field that it does not know is no reason to refuse an event', async () => {
  const one = event()
  const content = JSON.stringify({ ...one, more: 1, data: { ...one.data, more: 1 } })
  await bus.putBack('test.events.v1', Buffer.from(content), { type: one.type, messageId: one.id })
  await eventually(async () => (await effectsOf(one)).length === 1)
})

test('what an event costs does not grow with those that wait, though the planner was told of a moment in which none did', async () => {
  const own = await testDatabase('notifier')
  const owner = connect(own.ownerUrl, { name: 'test', max: 1 })
  const wait = (count: number) =>
    run(
      owner,
      SQL`insert into inbox (event_id, type, next_try_at, event)
          select gen_random_uuid(), 'test', now() + interval '1 hour', jsonb_build_object('subject', gen_random_uuid()) from generate_series(1, ${count}::int)`
    )
  await wait(3_000)
  await run(owner, SQL`update inbox set done_at = now(), event = null`)
  await run(owner, SQL`vacuum (analyze) inbox`)
  await wait(500)
  const pool = connect(own.url, { name: 'test', max: 1 })
  const { onMessage } = consumerOf(pool, 'test', { 'healthmed.doctor.approved.v1': async () => {} }).subscription
  const EVENTS = 20
  const messages = Array.from({ length: EVENTS }, () => ({ content: Buffer.from(JSON.stringify(event())) }) as ConsumeMessage)
  let done = 0
  await Promise.all(messages.map((message) => onMessage(message, () => done++, new AbortController().signal)))
  expect(done).toBe(EVENTS)
  await Promise.all([pool.end(), owner.end()])
  // counted once a connection has ended
  const { asked, read } = await one<{ asked: number; read: number }>(
    own.sql,
    SQL`select sum(idx_scan) filter (where indexrelname = 'inbox_waiting_subject')::int as asked, sum(idx_tup_read)::int as read
          from pg_stat_user_indexes where indexrelname like 'inbox_waiting%' and schemaname = current_schema`
  )
  await own.close()
  // each event by its subject, and not the table instead of an index
  expect(asked).toBeGreaterThanOrEqual(EVENTS)
  expect(read).toBeLessThan(EVENTS * 10)
})

test.each<[what: string, bend: (good: Event<'healthmed.doctor.approved.v1'>) => object]>([
  ['a text that no column can hold', (good) => ({ ...good, requestid: 'a\0b' })],
  ['half a surrogate pair', (good) => ({ ...good, extra: '\ud800' })],
  ['an id of dashes', (good) => ({ ...good, id: '-'.repeat(36) })],
  ['a subject of dashes', (good) => ({ ...good, subject: '-'.repeat(36), data: { id: '-'.repeat(36) } })],
  ['a moment of no year', (good) => ({ ...good, time: 'not a time, but long' })]
])('a message with %s ends as a dead letter, and those that came with it have their effects', async (_, bend) => {
  const good = Array.from({ length: 10 }, () => event())
  const bad = bend(event()) as Event<'healthmed.doctor.approved.v1'>
  await Promise.all([...good.slice(0, 5), bad, ...good.slice(5)].map((one) => bus.publish(one)))
  for (const one of good) await eventually(async () => (await effectsOf(one)).length === 1)
  await eventually(() => letters.length === 1)
})

test('an event that the database cannot store, and can never take in, ends as a dead letter and blocks nobody', async () => {
  const good = Array.from({ length: 10 }, () => event())
  const bad = event()
  manners.set(bad.subject, async (tx) => {
    await rows(tx, SQL`select ${'x\0'}::text as text`)
  })
  // a row that is to wait cannot be written for it either
  const owner = connect(database.ownerUrl, { name: 'test', max: 1 })
  await owner.unsafe(
    `alter table inbox add constraint storable check (1 / (case when event_id = '${bad.id}' then 0 else 1 end) = 1) not valid`
  )
  await Promise.all([...good.slice(0, 5), bad, ...good.slice(5)].map((one) => bus.publish(one)))
  for (const one of good) await eventually(async () => (await effectsOf(one)).length === 1)
  await eventually(() => letters.length === 1)
})
