import { type Channel, type ChannelModel, type ConfirmChannel, type ConsumeMessage, connect } from 'amqplib'
import { log } from '../setup/log.ts'
import { gauge } from '../setup/metrics.ts'
import type { Event } from './events.ts'
import { STALLED_AFTER_MS, stallWatch } from './stall.ts'

/** The topic exchange that carries every event; the routing key is the event's type. */
export const EXCHANGE = 'healthmed.events'
/** Where messages wait that no consumer could process; `x-queue` and `x-reason` say whose and why. */
export const DEAD_LETTERS = 'healthmed.dead-letters'

const CONFIRM_TIMEOUT_MS = 10_000
const COUNT_MS = 5_000
const queued = gauge('queue_messages', 'Messages that wait in a queue which this process consumes', ['queue'])
const connectedGauge = gauge('broker_connected', 'Whether the connection to the broker stands', [])

/** A queue with what it is bound to. */
export type Subscription = {
  queue: string
  bindings: string[]
  prefetch: number
  /** What is not acknowledged comes again on the next connection. `stopping` says that no more time is left to try. */
  onMessage: (message: ConsumeMessage, ack: () => void, stopping: AbortSignal) => Promise<void>
}

/** A connection to the broker that heals itself: topology, publisher and consumers are made anew after each loss. */
export type Bus = {
  /** Resolves when the broker confirmed the event and some queue took it; rejects otherwise, and then it may or may not have gone out. */
  publish: (event: Event) => Promise<void>
  /** Puts a message aside with the reason; resolves when the broker confirmed. */
  deadLetter: (content: Buffer, about: { queue: string; type: string; messageId: string; reason: string }) => Promise<void>
  /** Puts a message straight into a queue, as it first came there; resolves when the broker confirmed. */
  putBack: (queue: string, content: Buffer, about: { type: string; messageId: string }) => Promise<void>
  connected: () => boolean
  /** False while a queue that this process reads has had no consumer for 60 s, or the broker could not say so. */
  isConsuming: () => boolean
  /** Stops consuming and waits for the messages at hand. */
  stopConsuming: () => Promise<void>
  close: () => Promise<void>
}

/** `nowMs` and `countEveryMs`: by which clock, and how often, the bus asks for the consumers of its queues. */
type Options = {
  url: string
  name: string
  subscription?: Subscription | Subscription[]
  nowMs?: () => number
  countEveryMs?: number
}

/** Connects, or goes on trying in the background with back-off and jitter: a service starts and works without its broker. */
export async function connectBus({
  url,
  name,
  subscription,
  nowMs = () => performance.now(),
  countEveryMs = COUNT_MS
}: Options): Promise<Bus> {
  const subscriptions = [subscription ?? []].flat()
  // each stalls from the start, until the broker says that its queue has a consumer
  const consumption = new Map(subscriptions.map(({ queue }) => [queue, stallWatch(STALLED_AFTER_MS, nowMs, queue)]))
  let publisher: Publisher | undefined
  let consumers: { channel: Channel; tag: string }[] = []
  const stopping = new AbortController()
  const atWork = new Set<Promise<void>>()

  async function setup(model: ChannelModel) {
    let lost = false
    model.on('close', () => {
      lost = true
    })
    model.on('error', (error) => log.warn({ reason: error.message }, 'broker connection failed'))
    const channel = await guarded(model, await model.createConfirmChannel())
    await channel.assertExchange(EXCHANGE, 'topic', { durable: true })
    consumers = []
    for (const one of stopping.signal.aborted ? [] : subscriptions) consumers.push(await subscribe(model, one))
    // nobody listens yet who would connect again: only a failed setup does
    if (lost) throw new Error('the connection was lost while it was set up')
    publisher = openPublisher(channel)
  }

  async function subscribe(model: ChannelModel, one: Subscription) {
    const channel = await guarded(model, await model.createChannel())
    await declareQueue(channel, one)
    await channel.prefetch(one.prefetch)
    const { consumerTag: tag } = await channel.consume(one.queue, (message) => {
      // null: the broker cancelled us (the queue went away); a new connection declares it again
      if (!message) return void model.close().catch(() => {})
      const work = one.onMessage(message, () => ackIfOpen(channel, message), stopping.signal)
      atWork.add(work)
      work.finally(() => atWork.delete(work))
    })
    const count = async () => {
      const { messageCount, consumerCount } = await channel.checkQueue(one.queue)
      queued.set({ queue: one.queue }, messageCount)
      consumption.get(one.queue)?.observe(consumerCount > 0 ? undefined : one.queue)
    }
    const unknown = () => consumption.get(one.queue)?.observe(one.queue)
    const counting = setInterval(() => void count().catch(unknown), countEveryMs)
    channel.once('close', unknown)
    channel.once('close', () => clearInterval(counting))
    return { channel, tag }
  }

  const connection = await connect(withHeartbeat(url), {
    timeout: 5_000,
    clientProperties: { connection_name: name },
    recovery: { initialDelay: 200, maxDelay: 5_000, jitter: 0.3, maxRetries: Number.POSITIVE_INFINITY, waitForConnect: false, setup }
  })
  connection.on('connect', () => {
    connectedGauge.set({}, 1)
    log.info('broker connected')
  })
  connection.on('connect-failed', (error: Error) => log.warn({ reason: error.message }, 'broker not reached, trying again'))
  connection.on('disconnect', (error: Error) => {
    connectedGauge.set({}, 0)
    publisher = undefined
    log.warn({ reason: error.message }, 'broker connection lost')
  })
  connection.on('error', () => {})
  connection.on('handler-error', (error: Error) => log.error({ reason: error.message }, 'a broker event handler failed'))

  const ready = () => {
    if (!publisher) throw new Error('the broker is not connected')
    return publisher
  }
  return {
    publish: async (event) =>
      ready().send(EXCHANGE, event.type, Buffer.from(JSON.stringify(event)), {
        messageId: event.id,
        type: event.type,
        contentType: 'application/cloudevents+json',
        headers: { traceparent: event.traceparent }
      }),
    deadLetter: async (content, { queue, type, messageId, reason }) =>
      ready().send(DEAD_LETTERS, queue, content, {
        messageId,
        type,
        headers: { 'x-queue': queue, 'x-reason': reason.slice(0, 500), 'x-at': new Date().toISOString() }
      }),
    putBack: async (queue, content, { type, messageId }) =>
      ready().send('', queue, content, { messageId, type, contentType: 'application/cloudevents+json', headers: {} }),
    connected: () => publisher !== undefined,
    isConsuming: () => ![...consumption.values()].some(({ isStalled }) => isStalled()),
    stopConsuming: async () => {
      stopping.abort()
      await Promise.all(consumers.map(({ channel, tag }) => channel.cancel(tag).catch(() => {})))
      await Promise.allSettled(atWork)
    },
    close: async () => {
      publisher = undefined
      await Promise.race([connection.close(), Bun.sleep(1_000)]).catch(() => {})
    }
  }
}

function withHeartbeat(url: string): string {
  const address = new URL(url)
  if (!address.searchParams.has('heartbeat')) address.searchParams.set('heartbeat', '10')
  return address.href
}

/** A channel that the broker closed never comes back by itself: the connection is closed, and so made anew. */
async function guarded<C extends Channel>(model: ChannelModel, channel: C): Promise<C> {
  channel.on('error', (error) => log.warn({ reason: error.message }, 'broker channel failed'))
  channel.on('close', () => void model.close().catch(() => {}))
  channel.on('handler-error', (error) => log.error({ reason: String(error) }, 'a broker event handler failed'))
  return channel
}

/**
 * Declares queues with their bindings before anybody publishes. An event that reaches only some of the queues that want it counts as routed, so a
 * service that starts a moment later would never learn of it.
 */
export async function declareQueues(url: string, queues: Pick<Subscription, 'queue' | 'bindings'>[]): Promise<void> {
  const connection = await connect(url, { timeout: 5_000 })
  try {
    const channel = await connection.createChannel()
    await channel.assertExchange(EXCHANGE, 'topic', { durable: true })
    for (const one of queues) await declareQueue(channel, one)
  } finally {
    await connection.close()
  }
}

/** A queue with what it hangs on: its own dead letters go to an exchange, and the queue behind that belongs to who keeps them. */
async function declareQueue(channel: Channel, { queue, bindings }: Pick<Subscription, 'queue' | 'bindings'>) {
  await channel.assertExchange(DEAD_LETTERS, 'fanout', { durable: true })
  if (queue === DEAD_LETTERS) {
    await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } })
    await channel.bindQueue(queue, DEAD_LETTERS, '')
    return
  }
  const quorum = {
    'x-queue-type': 'quorum',
    'x-dead-letter-exchange': DEAD_LETTERS,
    'x-dead-letter-strategy': 'at-least-once',
    'x-overflow': 'reject-publish'
  }
  await channel.assertQueue(queue, { durable: true, arguments: quorum })
  for (const binding of bindings) await channel.bindQueue(queue, EXCHANGE, binding)
}

function ackIfOpen(channel: Channel, message: ConsumeMessage) {
  try {
    channel.ack(message)
  } catch {
    // the channel died meanwhile: the broker delivers again and the inbox knows the message
  }
}

type Publisher = ReturnType<typeof openPublisher>

/** Publishing with confirms. A message that no queue takes is confirmed all the same, but its `return` comes before the confirm. */
function openPublisher(channel: ConfirmChannel) {
  const returned = new Set<string>()
  channel.on('return', (message: ConsumeMessage) => returned.add(message.properties.messageId))
  return {
    send: (
      exchange: string,
      key: string,
      content: Buffer,
      options: { messageId: string; type: string; contentType?: string; headers: Record<string, string> }
    ) =>
      new Promise<void>((resolve, reject) => {
        const late = setTimeout(() => reject(new Error('the broker did not confirm in time')), CONFIRM_TIMEOUT_MS)
        late.unref()
        channel.publish(exchange, key, content, { ...options, persistent: true, mandatory: true }, (error) => {
          clearTimeout(late)
          if (returned.delete(options.messageId)) reject(new Error('no queue takes this event'))
          else if (error) reject(error instanceof Error ? error : new Error('the broker refused the event'))
          else resolve()
        })
      })
  }
}
