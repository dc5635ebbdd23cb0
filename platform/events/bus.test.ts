import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import { connect } from 'amqplib'
import { traceparentFrom } from '../setup/log.ts'
import { type Line, startLine } from '../testing/tcp-proxy.ts'
import { eventually, testBroker } from '../testing/testing.ts'
import { type Bus, connectBus, DEAD_LETTERS, declareQueues, EXCHANGE, type Subscription } from './bus.ts'
import type { Event } from './events.ts'

let vhost: Awaited<ReturnType<typeof testBroker>>
let line: Line
let url: string
const open: Bus[] = []
beforeAll(async () => {
  vhost = await testBroker()
  line = await startLine(Number(new URL(vhost.url).port))
  const through = new URL(vhost.url)
  through.port = String(line.port)
  through.searchParams.set('heartbeat', '1')
  url = through.href
})
afterEach(async () => {
  line.heal()
  await Promise.all(open.splice(0).map((bus) => bus.close()))
})
afterAll(async () => {
  line.stop()
  await vhost.close()
})

const event = (): Event => ({
  specversion: '1.0',
  id: Bun.randomUUIDv7(),
  type: 'healthmed.doctor.approved.v1',
  source: 'test',
  subject: Bun.randomUUIDv7(),
  time: new Date().toISOString(),
  datacontenttype: 'application/json',
  traceparent: traceparentFrom(null),
  requestid: 'request-1',
  data: { id: Bun.randomUUIDv7() }
})
async function bus(subscription?: Subscription) {
  const made = await connectBus({ url, name: 'test', ...(subscription && { subscription }) })
  open.push(made)
  await eventually(made.connected)
  return made
}
/** A consumer that remembers the ids that came. */
function listener(queue: string) {
  const ids: string[] = []
  const subscription: Subscription = {
    queue,
    bindings: ['healthmed.doctor.approved.*'],
    prefetch: 10,
    onMessage: async (message, ack) => {
      ids.push(message.properties.messageId)
      ack()
    }
  }
  return { ids, subscription }
}
async function withChannel<T>(
  work: (channel: Awaited<ReturnType<Awaited<ReturnType<typeof connect>>['createChannel']>>) => Promise<T>
): Promise<T> {
  const connection = await connect(vhost.url)
  try {
    const channel = await connection.createChannel()
    channel.on('error', () => {})
    return await work(channel)
  } finally {
    await connection.close().catch(() => {})
  }
}

test('an event that no queue takes is not published', async () => {
  const { publish } = await bus()
  expect(publish(event())).rejects.toThrow('no queue takes this event')
  expect(publish({ ...event(), type: 'healthmed.user.erased.v1' } as Event)).rejects.toThrow('no queue takes this event')
})

test('a published event reaches the queue, with its id, type and trace', async () => {
  const seen: unknown[] = []
  const { publish } = await bus({
    ...listener('one.events').subscription,
    onMessage: async ({ properties: { messageId, type, deliveryMode, headers } }, ack) => {
      seen.push({ messageId, type, deliveryMode, traceparent: headers?.traceparent })
      ack()
    }
  })
  const sent = event()
  await publish(sent)
  await eventually(() => seen.length === 1)
  expect(seen).toEqual([{ messageId: sent.id, type: sent.type, deliveryMode: 2, traceparent: sent.traceparent }])
})

test('queues are quorum queues that refuse when full and dead-letter at least once', async () => {
  const { subscription } = listener('two.events')
  await bus(subscription)
  const declared = {
    'x-queue-type': 'quorum',
    'x-dead-letter-exchange': DEAD_LETTERS,
    'x-dead-letter-strategy': 'at-least-once',
    'x-overflow': 'reject-publish'
  }
  await withChannel((channel) => channel.assertQueue('two.events', { durable: true, arguments: declared }))
  expect(withChannel((channel) => channel.assertQueue('two.events', { durable: true }))).rejects.toThrow('PRECONDITION_FAILED')
  await withChannel((channel) => channel.assertExchange(EXCHANGE, 'topic', { durable: true }))
})

test('without a broker it starts, refuses at once, and works as soon as there is one', async () => {
  line.cut()
  const { ids, subscription } = listener('three.events')
  const made = await connectBus({ url, name: 'test', subscription })
  open.push(made)
  expect(made.connected()).toBe(false)
  expect(made.publish(event())).rejects.toThrow('not connected')
  line.heal()
  await eventually(made.connected)
  const sent = event()
  await made.publish(sent)
  await eventually(() => ids.includes(sent.id))
})

test('a line that is cut comes back by itself, publisher and consumer too', async () => {
  const { ids, subscription } = listener('four.events')
  const { publish, connected } = await bus(subscription)
  for (let round = 0; round < 3; round++) {
    line.cut()
    await eventually(() => !connected())
    line.heal()
    await eventually(connected)
    const sent = event()
    await publish(sent)
    await eventually(() => ids.includes(sent.id))
  }
})

test('a publish that is under way when the line is cut is refused, not left hanging', async () => {
  const { subscription } = listener('five.events')
  const { publish } = await bus(subscription)
  line.freeze()
  const pending = publish(event()).then(
    () => 'published',
    () => 'refused'
  )
  line.cut()
  expect(await pending).toBe('refused')
})

test('a line that is dead at its far end is noticed by the heartbeat', async () => {
  const { subscription } = listener('six.events')
  const { connected } = await bus(subscription)
  line.freeze()
  await eventually(() => !connected(), 15_000)
  line.heal()
  await eventually(connected)
})

test('a queue that is deleted is declared and consumed again', async () => {
  const { ids, subscription } = listener('seven.events')
  const { publish } = await bus(subscription)
  await withChannel((channel) => channel.deleteQueue('seven.events'))
  // what was published before it was there again went to the other queues only
  await eventually(async () => {
    await publish(event()).catch(() => {})
    return ids.length > 0
  })
})

test('a message that is not acknowledged when the line breaks comes again', async () => {
  let deliveries = 0
  const { publish } = await bus({
    ...listener('eight.events').subscription,
    onMessage: async (_, ack) => {
      deliveries++
      if (deliveries === 1) line.cut()
      else ack()
    }
  })
  await publish(event()).catch(() => {})
  await eventually(() => deliveries === 1)
  line.heal()
  await eventually(() => deliveries === 2)
})

test('stopping waits for the message at hand', async () => {
  let finish: (() => void) | undefined
  let finished = false
  const { publish, stopConsuming } = await bus({
    ...listener('nine.events').subscription,
    onMessage: async (_, ack) => {
      await new Promise<void>((resolve) => {
        finish = resolve
      })
      finished = true
      ack()
    }
  })
  await publish(event())
  const end = await eventually(() => finish)
  const stopping = stopConsuming().then(() => finished)
  end()
  expect(await stopping).toBe(true)
})

test('a message put back into a queue arrives; into one that is not there, it is refused', async () => {
  const { ids, subscription } = listener('ten.events')
  const { putBack } = await bus(subscription)
  await putBack('ten.events', Buffer.from('{}'), { type: 'x', messageId: 'back-1' })
  await eventually(() => ids.includes('back-1'))
  expect(putBack('no.events', Buffer.from('{}'), { type: 'x', messageId: 'back-2' })).rejects.toThrow('no queue takes')
})

test('a queue without a consumer, or one that the broker cannot tell of, is reported after 60 s and no sooner', async () => {
  let nowMs = 0
  const queue = `test.${crypto.randomUUID()}`
  const made = await connectBus({ url, name: 'test', subscription: listener(queue).subscription, nowMs: () => nowMs, countEveryMs: 10 })
  open.push(made)
  expect(made.isConsuming()).toBe(true)
  nowMs = 60_000
  // nothing was counted yet, and the limit is over
  await eventually(made.isConsuming)
  nowMs += 600_000
  expect(made.isConsuming()).toBe(true)
  line.cut()
  await eventually(() => !made.connected())
  expect(made.isConsuming()).toBe(true)
  nowMs += 60_000
  expect(made.isConsuming()).toBe(false)
  line.heal()
  await eventually(made.isConsuming)
  // consumers may be cancelled one by one while the connection stands
  await made.stopConsuming()
  await eventually(() => {
    nowMs += 60_000
    return !made.isConsuming()
  })
})

test('queues that are declared beforehand keep every event until their service starts', async () => {
  const { ids, subscription } = listener(`test.${crypto.randomUUID()}`)
  await declareQueues(url, [subscription])
  const publisher = await bus()
  const sent = event()
  await publisher.publish(sent)
  await bus(subscription)
  await eventually(() => ids.includes(sent.id))
})
