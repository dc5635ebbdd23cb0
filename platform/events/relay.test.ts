import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import { join } from 'node:path'
import { connect as connectBroker } from 'amqplib'
import SQL from 'sql-template-strings'
import { connect, one, rows, run } from '../data/db.ts'
import { type Line, startLine } from '../testing/tcp-proxy.ts'
import { eventually, type TestDatabase, testBroker, testDatabase } from '../testing/testing.ts'
import { type Bus, connectBus, EXCHANGE } from './bus.ts'
import { announce, type Relay, startRelay } from './outbox.ts'

/* The relay with a real broker, as processes that are killed and paused, and over lines that break. */
const QUEUE = 'test.events.v1'
let database: TestDatabase
let vhost: Awaited<ReturnType<typeof testBroker>>
let line: Line
let listener: Bus
/** Ids of events as they came out of the queue, copies too. */
const arrived: string[] = []
const tidy: (() => Promise<unknown>)[] = []

const subscription = {
  queue: QUEUE,
  bindings: ['healthmed.doctor.approved.*'],
  prefetch: 100,
  onMessage: async ({ properties: { messageId } }: { properties: { messageId: string } }, ack: () => void) => {
    arrived.push(messageId)
    ack()
  }
}
beforeAll(async () => {
  database = await testDatabase('scheduling')
  vhost = await testBroker()
  line = await startLine(Number(new URL(vhost.url).port))
  listener = await connectBus({ url: vhost.url, name: 'listener', subscription })
  await eventually(listener.connected)
})
afterEach(async () => {
  line.heal()
  await Promise.all(tidy.splice(0).map((end) => end()))
  await run(database.sql, SQL`delete from outbox`)
  arrived.length = 0
})
afterAll(async () => {
  await listener.close()
  line.stop()
  await database.close()
  await vhost.close()
})

const throughLine = () => {
  const url = new URL(vhost.url)
  url.port = String(line.port)
  url.searchParams.set('heartbeat', '1')
  return url.href
}
/** A relay in this process. */
async function relay(url = vhost.url): Promise<Relay> {
  const bus = await connectBus({ url, name: 'relay' })
  const started = startRelay(database.sql, bus, 'scheduling')
  let stopped: Promise<unknown> | undefined
  const stop = async () => {
    stopped ??= started.stop().then(bus.close)
    await stopped
  }
  tidy.push(stop)
  await eventually(bus.connected)
  return { ...started, stop }
}
const program = `
  import { connectBus } from './platform/events/bus.ts'
  import { connect } from './platform/data/db.ts'
  import { startRelay } from './platform/events/outbox.ts'
  const bus = await connectBus({ url: process.env.RABBITMQ_URL, name: 'relay' })
  startRelay(connect(process.env.DATABASE_URL, { name: 'relay', max: 2 }), bus, 'scheduling')`
/** A relay as a process. */
function relayProcess(url = vhost.url) {
  const child = Bun.spawn([process.execPath, '-e', program], {
    cwd: join(import.meta.dir, '..', '..'),
    env: { PATH: process.env.PATH ?? '', DATABASE_URL: database.url, RABBITMQ_URL: url, LOG_LEVEL: 'silent' },
    stdout: 'inherit',
    stderr: 'inherit'
  })
  const end = async () => {
    child.kill('SIGKILL')
    await child.exited
  }
  tidy.push(end)
  return { end, pause: () => child.kill('SIGSTOP'), resume: () => child.kill('SIGCONT') }
}

const say = (id = Bun.randomUUIDv7()) => announce(database.sql, 'healthmed.doctor.approved.v1', id, { id })
const waiting = async () =>
  (await one<{ count: number }>(database.sql, SQL`select count(*) as count from outbox where sent_at is null`)).count
type Row = { seq: number; id: string; subject: string; leaseToken: string | null; sentAt: Date | null; lastError: string | null }
const table = () => rows<Row>(database.sql, SQL`select seq, id, subject, lease_token, sent_at, last_error from outbox order by seq`)

/** All that was announced has arrived, and of no subject an older event after a newer one, copies included. */
async function allArrivedInOrder(limitMs = 60_000) {
  await eventually(async () => (await waiting()) === 0, limitMs)
  const announced = await table()
  await eventually(() => announced.every(({ id }) => arrived.includes(id)))
  expect(new Set(arrived)).toEqual(new Set(announced.map(({ id }) => id)))
  const about = new Map(announced.map(({ id, seq, subject }) => [id, { seq, subject }]))
  const newest = new Map<string, number>()
  for (const id of arrived) {
    const { seq, subject } = about.get(id) ?? { seq: -1, subject: '' }
    expect(seq).toBeGreaterThanOrEqual(newest.get(subject) ?? 0)
    newest.set(subject, seq)
  }
}
/** Announces ten events of each of `count` subjects, one after the other in each, while `trouble` happens. */
async function announceDuring(count: number, trouble: () => Promise<unknown>) {
  const subjects = Array.from({ length: count }, () => Bun.randomUUIDv7())
  const announcing = (async () => {
    for (let nth = 0; nth < 10; nth++) await Promise.all(subjects.map(say))
  })()
  await trouble()
  await announcing
}
const someArrived = (more: number) => {
  const before = arrived.length
  return eventually(() => arrived.length >= before + more, 40_000)
}

test('relays that are killed while they work lose nothing and keep the order', async () => {
  const relays = [relayProcess(), relayProcess(), relayProcess()]
  await announceDuring(300, async () => {
    for (const victim of relays) {
      await someArrived(200)
      await victim.end()
      relayProcess()
    }
  })
  // what a killed one held is let go with its lease
  await allArrivedInOrder()
}, 120_000)

test('a relay process that was paused past its lease overwrites nothing when it goes on', async () => {
  const paused = relayProcess(throughLine())
  await say()
  await someArrived(1)
  await eventually(async () => (await waiting()) === 0)
  // it publishes, and hears of no confirm
  line.deafen()
  await say()
  await someArrived(1)
  paused.pause()
  await run(database.sql, SQL`update outbox set lease_until = now() - interval '1 second' where sent_at is null`)
  const other = await relay()
  await eventually(async () => (await waiting()) === 0)
  await other.stop()
  const before = await table()
  paused.resume()
  line.listen()
  // it takes the next event only after it has tried to write back what it held
  await say()
  await eventually(async () => (await waiting()) === 0)
  expect((await table()).slice(0, 2)).toEqual(before)
  expect(arrived).toEqual([before[0], before[1], before[1], (await table())[2]].map((row) => row?.id ?? ''))
})

test('a broker that is cut off again and again gets everything, in order', async () => {
  await relay(throughLine())
  await announceDuring(200, async () => {
    for (let round = 0; round < 4; round++) {
      await someArrived(100)
      line.cut()
      line.heal()
    }
  })
  await allArrivedInOrder()
})

test('a line to the broker that is dead at its far end is given up, and all goes out over the next', async () => {
  await relay(throughLine())
  await announceDuring(50, async () => {
    await someArrived(50)
    line.freeze()
    const before = arrived.length
    await say()
    // the heartbeat finds it dead; who connects meanwhile reaches nobody either
    await eventually(
      async () => (await rows(database.sql, SQL`select 1 from outbox where last_error is not null limit 1`)).length > 0,
      20_000
    )
    expect(await waiting()).toBeGreaterThan(0)
    expect(arrived.length).toBeLessThan(before + 250)
    line.heal()
  })
  await allArrivedInOrder()
})

test('an event whose queue is unbound is not marked sent, and is delivered once when it is bound again', async () => {
  await relay()
  const connection = await connectBroker(vhost.url)
  const channel = await connection.createChannel()
  await channel.unbindQueue(QUEUE, EXCHANGE, 'healthmed.doctor.approved.*')
  await say()
  const [row] = await eventually(async () => {
    const found = await table()
    return found[0]?.lastError ? found : undefined
  })
  expect(row).toMatchObject({ sentAt: null, lastError: 'no queue takes this event' })
  expect(arrived).toEqual([])
  await channel.bindQueue(QUEUE, EXCHANGE, 'healthmed.doctor.approved.*')
  await connection.close()
  await eventually(async () => (await waiting()) === 0, 20_000)
  await eventually(() => arrived.length > 0)
  expect(arrived).toEqual([row?.id ?? ''])
})

test('a queue that is full refuses, the rest stays in the outbox and follows when there is room', async () => {
  // before there is a queue: one that exists learns of it a moment later
  const limit = { pattern: '^full\\.', definition: { 'max-length': 5 }, 'apply-to': 'queues' }
  await vhost.call('PUT', `/policies/${vhost.vhost}/full`, limit)
  const narrow = { ...subscription, queue: 'full.events.v1' }
  const keeper = await connectBus({
    url: vhost.url,
    name: 'narrow',
    subscription: { ...narrow, prefetch: 1, onMessage: () => Promise.resolve() }
  })
  await eventually(keeper.connected)
  await relay()
  // the limit is a soft one: a burst may pass it, one after the other does not for long
  await eventually(async () => {
    await say()
    return (await table()).some(({ lastError }) => lastError === 'message nacked')
  }, 20_000)
  expect(await waiting()).toBeGreaterThan(0)
  await keeper.close()
  const ids = new Set<string>()
  const drain = await connectBus({
    url: vhost.url,
    name: 'narrow',
    subscription: {
      ...narrow,
      onMessage: async ({ properties: { messageId } }, ack) => {
        ids.add(messageId)
        ack()
      }
    }
  })
  tidy.push(drain.close)
  await eventually(async () => (await waiting()) === 0, 60_000)
  await eventually(async () => (await table()).every(({ id }) => ids.has(id)))
}, 90_000)

/** A rush that is over, and of which the planner was told when nothing of it waited any more: the indexes have grown and are empty. */
async function rushBefore(ownerUrl: string) {
  const owner = connect(ownerUrl, { name: 'test', max: 1 })
  await run(
    owner,
    SQL`insert into outbox (id, type, subject, data, traceparent, request_id)
        select gen_random_uuid(), 'test', gen_random_uuid(), '{}', '', '' from generate_series(1, 3000)`
  )
  await run(owner, SQL`update outbox set sent_at = now()`)
  await run(owner, SQL`vacuum (analyze) outbox`)
  await owner.end()
}

test.each([
  ['told of nothing', async () => {}],
  ['told of a moment in which none did', rushBefore]
] as const)('what an event costs does not grow with those that wait, the planner %s', async (_, prepare) => {
  const own = await testDatabase('scheduling')
  await prepare(own.ownerUrl)
  const pool = connect(own.url, { name: 'relay', max: 1 })
  const EVENTS = 1_000
  await run(
    pool,
    SQL`insert into outbox (id, type, subject, data, traceparent, request_id)
        select gen_random_uuid(), 'healthmed.doctor.approved.v1', gen_random_uuid(), '{}', '', '' from generate_series(1, ${EVENTS}::int)`
  )
  const bus = await connectBus({ url: vhost.url, name: 'relay' })
  const { stop } = startRelay(pool, bus, 'scheduling')
  await eventually(() => arrived.length === EVENTS)
  await stop()
  await Promise.all([bus.close(), pool.end()])
  // counted once a connection has ended
  const { read } = await one<{ read: number }>(
    own.sql,
    SQL`select sum(idx_tup_read)::int as read from pg_stat_user_indexes where indexrelname like 'outbox_unsent%' and schemaname = current_schema`
  )
  await own.close()
  expect(read).toBeGreaterThanOrEqual(EVENTS)
  expect(read).toBeLessThan(EVENTS * 10)
})

test('a row that is no event fails alone, and the others of its batch go out', async () => {
  const ids: string[] = []
  const subjects = Array.from({ length: 5 }, () => Bun.randomUUIDv7())
  for (const subject of subjects) {
    await announce(database.sql, 'healthmed.doctor.approved.v1', subject, { id: subject })
    ids.push((await one<{ id: string }>(database.sql, SQL`select id from outbox where subject = ${subject}`)).id)
  }
  await run(database.sql, SQL`update outbox set created_at = 'infinity' where subject = ${subjects[1]}`)
  await relay()
  const good = ids.filter((_, nth) => nth !== 1).sort()
  await eventually(() => arrived.length >= 4)
  expect([...new Set(arrived)].sort()).toEqual(good)
  const bad = await eventually(async () => {
    const row = await one<{ lastError: string | null; sentAt: Date | null }>(
      database.sql,
      SQL`select last_error, sent_at from outbox where subject = ${subjects[1]}`
    )
    return row.lastError !== null && row
  })
  expect(bad.sentAt).toBeNull()
})
