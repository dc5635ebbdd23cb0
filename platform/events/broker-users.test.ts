import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type ConfirmChannel, connect } from 'amqplib'
import { traceparentFrom } from '../setup/log.ts'
import { eventually, testBroker } from '../testing/testing.ts'
import { provisionBroker } from './broker-users.ts'
import { type Bus, connectBus, DEAD_LETTERS, EXCHANGE } from './bus.ts'
import { type Event, typesOf } from './events.ts'

const passwords = { auth: 'a', scheduling: 's', notifier: 'n' }
let vhost: Awaited<ReturnType<typeof testBroker>>
const buses: Bus[] = []
const urlOf = (service: keyof typeof passwords) => {
  const url = new URL(vhost.url)
  url.username = service
  url.password = passwords[service]
  return url.href
}
beforeAll(async () => {
  vhost = await testBroker()
  await provisionBroker(process.env.TEST_RABBITMQ_API ?? '', passwords, vhost.vhost)
})
afterAll(async () => {
  await Promise.all(buses.map((bus) => bus.close()))
  await vhost.close()
})

const someEvent: Event<'healthmed.doctor.approved.v1'> = {
  specversion: '1.0',
  id: Bun.randomUUIDv7(),
  type: 'healthmed.doctor.approved.v1',
  source: 'auth',
  subject: Bun.randomUUIDv7(),
  time: new Date().toISOString(),
  datacontenttype: 'application/json',
  traceparent: traceparentFrom(null),
  requestid: 'request-1',
  data: { id: Bun.randomUUIDv7() }
}
async function connected(service: keyof typeof passwords) {
  const ids: string[] = []
  const queues = { auth: [], scheduling: ['scheduling.events.v1'], notifier: ['notifier.events.v1', DEAD_LETTERS] }[service]
  const subscription = queues.map((queue) => ({
    queue,
    bindings: ['healthmed.doctor.approved.*'],
    prefetch: 10,
    onMessage: async ({ properties: { messageId } }: { properties: { messageId: string } }, ack: () => void) => {
      ids.push(messageId)
      ack()
    }
  }))
  const bus = await connectBus({ url: urlOf(service), name: service, subscription })
  buses.push(bus)
  await eventually(bus.connected)
  return { bus, ids }
}

test('a service has what it needs: topology, publishing, its queue, dead letters, and putting one back where it came from', async () => {
  const scheduling = await connected('scheduling')
  const notifier = await connected('notifier')
  const auth = await connected('auth')
  await auth.bus.publish(someEvent)
  await eventually(() => [scheduling, notifier].every(({ ids }) => ids.includes(someEvent.id)))
  await scheduling.bus.deadLetter(Buffer.from('{}'), { queue: 'scheduling.events.v1', type: 'x', messageId: 'dead-1', reason: 'why' })
  await eventually(() => notifier.ids.includes('dead-1'))
  await notifier.bus.putBack('scheduling.events.v1', Buffer.from('{}'), { type: 'x', messageId: 'dead-1' })
  await eventually(() => scheduling.ids.includes('dead-1'))
})

/** What the broker says when a service does what it may not; undefined where it may. */
async function refusalOf(service: keyof typeof passwords, act: (channel: ConfirmChannel) => Promise<unknown>) {
  const connection = await connect(urlOf(service))
  connection.on('error', () => {})
  const channel = await connection.createConfirmChannel()
  const closed = new Promise<string>((resolve) => channel.on('error', (error: Error) => resolve(error.message)))
  const done = act(channel).then(
    () => undefined,
    () => closed
  )
  const refusal = await Promise.race([done, closed])
  await connection.close()
  return refusal
}

const send = (exchange: string, key: string) => async (channel: ConfirmChannel) => {
  channel.publish(exchange, key, Buffer.from('{}'))
  await channel.waitForConfirms()
}
const bindOwn = (channel: ConfirmChannel, key: string) => channel.bindQueue('scheduling.events.v1', EXCHANGE, key)

const own = Object.entries(typesOf) as [keyof typeof typesOf, string[]][]
test('a service publishes each type that it owns, also in a later version', async () => {
  for (const [service, types] of own)
    for (const key of [...types, ...types.map((type) => type.replace(/v1$/, 'v2'))])
      expect([service, key, await refusalOf(service, send(EXCHANGE, key))]).toEqual([service, key, undefined])
})

test('no service publishes a type that another owns, nor a routing key that is nobody’s', async () => {
  const foreign = (service: string) => own.filter(([owner]) => owner !== service).flatMap(([, types]) => types)
  const odd = [
    '',
    '#',
    '*',
    'healthmed',
    'healthmed.user.updated',
    'xhealthmed.user.updated.v1',
    'healthmed.user.updated.v1.v1',
    'healthmed.user.updated.v1\n'
  ]
  for (const service of ['auth', 'scheduling', 'notifier'] as const)
    for (const key of [...foreign(service), ...odd])
      expect([service, key, await refusalOf(service, send(EXCHANGE, key))]).toEqual([
        service,
        key,
        expect.stringContaining('ACCESS_REFUSED')
      ])
})

test.each<[string, keyof typeof passwords, (channel: ConfirmChannel) => Promise<unknown>]>([
  ['read the queue of another', 'auth', (channel) => channel.get('notifier.events.v1')],
  ['take what is for another', 'scheduling', (channel) => channel.consume('notifier.events.v1', () => {})],
  ['delete the queue of another', 'scheduling', (channel) => channel.deleteQueue('notifier.events.v1')],
  ['empty the queue of another', 'auth', (channel) => channel.purgeQueue('notifier.events.v1')],
  ['bind the queue of another elsewhere', 'auth', (channel) => channel.bindQueue('notifier.events.v1', EXCHANGE, '#')],
  ['declare a queue under another name', 'auth', (channel) => channel.assertQueue('spy', { durable: true })],
  ['read dead letters, which are for the notifier alone', 'scheduling', (channel) => channel.get(DEAD_LETTERS)],
  ['delete them', 'auth', (channel) => channel.deleteQueue(DEAD_LETTERS)],
  ['put a message past the exchange into a queue', 'scheduling', send('', 'notifier.events.v1')],
  ['write dead letters without a queue of its own', 'auth', send(DEAD_LETTERS, '')],
  ['have the tokens of mails sent to it', 'scheduling', (channel) => bindOwn(channel, 'healthmed.user.password_reset_requested.*')],
  ['have everything sent to it', 'scheduling', (channel) => bindOwn(channel, '#')],
  ['use an exchange of the broker', 'notifier', (channel) => channel.bindQueue('notifier.events.v1', 'amq.topic', '#')]
])('a service may not %s', async (_, service, act) => {
  expect(await refusalOf(service, act)).toContain('ACCESS_REFUSED')
})
