import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { join } from 'node:path'
import SQL from 'sql-template-strings'
import { connect, rows, run, transaction } from '../data/db.ts'
import { traced, traceparentFrom } from '../setup/log.ts'
import { eventually, type TestDatabase, testDatabase } from '../testing/testing.ts'
import type { Bus } from './bus.ts'
import type { Event } from './events.ts'
import { announce, type Relay, startRelay } from './outbox.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase('notifier')
  const owner = connect(database.ownerUrl, { name: 'test', max: 1 })
  // the table as outbox.ts tells the services to make it
  const source = await Bun.file(join(import.meta.dir, 'outbox.ts')).text()
  const ddl = /create table outbox[\s\S]*?(?=\*\/)/.exec(source)?.[0].replace(/^ \* {0,3}/gm, '') ?? ''
  await owner.unsafe(ddl)
  await owner.end()
})
beforeEach(() => run(database.sql, SQL`delete from outbox`))
afterAll(() => database.close())

type Published = { event: Event; settle: (outcome: 'confirm' | Error) => void }
/** A broker whose confirms are given by hand, or at once. */
function broker({ confirm = true } = {}) {
  const published: Published[] = []
  let connected = true
  const bus: Bus = {
    publish: (event) =>
      new Promise<void>((resolve, reject) => {
        published.push({ event, settle: (outcome) => (outcome === 'confirm' ? resolve() : reject(outcome)) })
        if (confirm) resolve()
      }),
    deadLetter: () => Promise.reject(new Error('not here')),
    putBack: () => Promise.reject(new Error('not here')),
    connected: () => connected,
    isConsuming: () => true,
    stopConsuming: async () => {},
    close: async () => {}
  }
  return {
    bus,
    published,
    connect: (state: boolean) => {
      connected = state
    }
  }
}
const relays: Relay[] = []
const relay = async (bus: Bus) => {
  const started = startRelay(database.sql, bus, 'notifier')
  relays.push(started)
  return started
}
const stopAll = () => Promise.all(relays.splice(0).map(({ stop }) => stop()))
const say = (id = Bun.randomUUIDv7(), db: Parameters<typeof announce>[0] = database.sql) =>
  announce(db, 'healthmed.doctor.approved.v1', id, { id })
const unsent = async () =>
  await rows<{ id: string; lastError: string | null }>(database.sql, SQL`select id, last_error from outbox where sent_at is null`)

test('an event is published soon after its commit, and not at all when that does not come', async () => {
  const { bus, published } = broker()
  await relay(bus)
  const kept = Bun.randomUUIDv7()
  await transaction(database.sql, async (tx) => {
    await say(Bun.randomUUIDv7(), tx)
    throw new Error('rolled back')
  }).catch(() => {})
  await transaction(database.sql, (tx) => say(kept, tx))
  await eventually(() => published.length > 0)
  await eventually(async () => (await unsent()).length === 0)
  expect(published.map(({ event }) => event.subject)).toEqual([kept])
  await stopAll()
})

test('an event bears the request and the trace in which it was announced', async () => {
  const { bus, published } = broker()
  await relay(bus)
  const traceparent = traceparentFrom(null)
  await traced({ requestId: 'request-7', traceparent }, () => say())
  const [{ event } = {}] = await eventually(() => published.length === 1 && published)
  expect(event).toMatchObject({
    specversion: '1.0',
    requestid: 'request-7',
    source: 'notifier',
    type: 'healthmed.doctor.approved.v1'
  })
  // the same trace, and a span of its own
  expect(event?.traceparent.slice(0, 35)).toBe(traceparent.slice(0, 35))
  expect(Date.parse(event?.time ?? '')).toBeGreaterThan(Date.now() - 10_000)
  await stopAll()
})

test('of one aggregate an event goes out only after the one before was confirmed, of others at once', async () => {
  const { bus, published } = broker({ confirm: false })
  const [one, other] = [Bun.randomUUIDv7(), Bun.randomUUIDv7()]
  for (const id of [one, one, other]) await say(id)
  await relay(bus)
  await relay(bus)
  await eventually(() => published.length === 2)
  await Bun.sleep(1_200)
  expect(published.map(({ event }) => event.subject).sort()).toEqual([one, other].sort())
  for (const { settle } of published) settle('confirm')
  await eventually(() => published.length === 3)
  published[2]?.settle('confirm')
  await stopAll()
  expect(await unsent()).toEqual([])
})

test('an event that the broker returned or refused stays, with the reason, and goes out later', async () => {
  const { bus, published } = broker({ confirm: false })
  await say()
  await relay(bus)
  const [first] = await eventually(() => published.length === 1 && published)
  first?.settle(new Error('no queue takes this event'))
  expect((await eventually(async () => (await unsent()).find(({ lastError }) => lastError))).lastError).toBe('no queue takes this event')
  const again = await eventually(() => published[1])
  again.settle('confirm')
  await eventually(async () => (await unsent()).length === 0)
  expect(again.event.id).toBe(first?.event.id ?? '')
  await stopAll()
})

test('while the broker is away nothing is claimed, and all goes out in order when it is back', async () => {
  const { bus, published, connect: set } = broker()
  set(false)
  await relay(bus)
  const id = Bun.randomUUIDv7()
  for (let count = 0; count < 5; count++) await say(id)
  await Bun.sleep(1_100)
  expect(published).toHaveLength(0)
  set(true)
  await eventually(async () => (await unsent()).length === 0)
  const ids = published.map(({ event }) => event.id)
  expect(ids).toEqual([...ids].sort())
  expect(ids).toHaveLength(5)
  await stopAll()
})

test('a row that commits late is published, though later ones went before', async () => {
  const { bus, published } = broker()
  await relay(bus)
  const [late, early] = [Bun.randomUUIDv7(), Bun.randomUUIDv7()]
  let commit = () => {}
  const held = transaction(database.sql, async (tx) => {
    await say(late, tx)
    await new Promise<void>((resolve) => {
      commit = resolve
    })
  })
  await say(early)
  await eventually(() => published.length === 1)
  commit()
  await held
  await eventually(() => published.length === 2)
  expect(published.map(({ event }) => event.subject)).toEqual([early, late])
  await stopAll()
})

test('a relay that was paused past its lease overwrites nothing when it goes on', async () => {
  const [paused, other] = [broker({ confirm: false }), broker({ confirm: false })]
  await say()
  await relay(paused.bus)
  const [stuck] = await eventually(() => paused.published.length === 1 && paused.published)
  // its lease runs out, and another takes the row over
  await run(database.sql, SQL`update outbox set lease_until = now() - interval '1 second'`)
  paused.connect(false)
  await relay(other.bus)
  const [taken] = await eventually(() => other.published.length === 1 && other.published)
  const [before] = await rows<{ leaseToken: string }>(database.sql, SQL`select lease_token from outbox`)
  stuck?.settle('confirm')
  await Bun.sleep(300)
  const [after] = await rows<{ leaseToken: string; sentAt: Date | null }>(database.sql, SQL`select lease_token, sent_at from outbox`)
  expect(after).toEqual({ leaseToken: before?.leaseToken ?? '', sentAt: null })
  taken?.settle('confirm')
  await eventually(async () => (await unsent()).length === 0)
  await stopAll()
})

test('three relays publish 600 events of 100 aggregates once each, in order', async () => {
  const { bus, published } = broker()
  const subjects = Array.from({ length: 100 }, () => Bun.randomUUIDv7())
  for (let round = 0; round < 6; round++) await Promise.all(subjects.map((id) => say(id)))
  await Promise.all([relay(bus), relay(bus), relay(bus)])
  await eventually(async () => (await unsent()).length === 0, 20_000)
  await stopAll()
  expect(published).toHaveLength(600)
  const order = await rows<{ id: string }>(database.sql, SQL`select id from outbox order by seq`)
  const seq = new Map(order.map(({ id }, index) => [id, index]))
  for (const subject of subjects) {
    const seqs = published.filter(({ event }) => event.subject === subject).map(({ event }) => seq.get(event.id) ?? -1)
    expect(seqs).toEqual([...seqs].sort((one, other) => one - other))
  }
})

test('stopping waits for the confirms that are under way', async () => {
  const { bus, published } = broker({ confirm: false })
  await say()
  const { stop } = await relay(bus)
  const [first] = await eventually(() => published.length === 1 && published)
  const stopped = stop()
  first?.settle('confirm')
  await stopped
  relays.length = 0
  expect(await unsent()).toEqual([])
})

test('rows that were sent long ago are purged, and no others', async () => {
  await say()
  await say()
  await run(database.sql, SQL`update outbox set sent_at = now() - interval '15 days' where seq = (select min(seq) from outbox)`)
  await run(database.sql, SQL`update outbox set sent_at = now() - interval '13 days' where seq = (select max(seq) from outbox)`)
  const { bus } = broker()
  await relay(bus)
  await eventually(async () => (await rows(database.sql, SQL`select 1 from outbox`)).length === 1)
  await stopAll()
})

test('a relay says so while the first event in line has not left for 60 s, whatever the cause, and only then', async () => {
  let nowMs = 0
  const refusing = broker({ confirm: false })
  const started = startRelay(database.sql, refusing.bus, 'notifier', { nowMs: () => nowMs, measureEveryMs: 10 })
  relays.push(started)
  nowMs = 3_600_000
  expect(started.isFlowing()).toBe(true)
  // an event that happened long ago and is only announced now is no stall
  await announce(database.sql, 'healthmed.doctor.approved.v1', Bun.randomUUIDv7(), { id: Bun.randomUUIDv7() }, new Date('2026-01-01'))
  const first = await eventually(() => refusing.published[0])
  await eventually(() => {
    const before = started.isFlowing()
    nowMs += 59_000
    const soon = started.isFlowing()
    nowMs -= 59_000
    return before && soon
  })
  // the broker neither confirms nor refuses
  await eventually(() => {
    nowMs += 60_000
    return !started.isFlowing()
  })
  first.settle('confirm')
  await eventually(started.isFlowing)
  await stopAll()
})

test('sent events keep what they say, so that they can be published again', async () => {
  const { bus } = broker()
  await relay(bus)
  const id = Bun.randomUUIDv7()
  await say(id)
  await eventually(async () => (await unsent()).length === 0)
  expect(await rows(database.sql, SQL`select data from outbox`)).toEqual([{ data: { id } }])
  await stopAll()
})
