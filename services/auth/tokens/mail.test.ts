import { afterAll, beforeAll, expect, test } from 'bun:test'
import { connect } from 'amqplib'
import { connectBus, EXCHANGE } from '#platform/events/bus'
import { startRelay } from '#platform/events/outbox'
import { eventually, testBroker } from '#platform/testing/testing'
import { type Rig, rigOf } from '../testing/testing.ts'
import { readSecret } from './secret.ts'

let rig: Rig
let vhost: Awaited<ReturnType<typeof testBroker>>
beforeAll(async () => {
  rig = await rigOf()
  vhost = await testBroker()
})
afterAll(async () => {
  await rig?.stop()
  await vhost?.close()
})

/** Whatever in a text could be a token: a word that the routes would look up. */
const tokensIn = (text: string) => (text.match(/[\w-]{36}\.[\w-]{43}/g) ?? []).filter((word) => readSecret(word))

test('neither the outbox nor the queue holds a token that could be used, of a verification or a reset', async () => {
  const broker = await connect(vhost.url)
  const channel = await broker.createChannel()
  await channel.assertExchange(EXCHANGE, 'topic', { durable: true })
  await channel.assertQueue('everything', { durable: true })
  await channel.bindQueue('everything', EXCHANGE, '#')
  const person = await rig.person()
  await rig.call('POST', '/v1/auth/email/resend', { token: person.accessToken })
  await rig.post('/v1/auth/password/forgot', { email: person.email })
  await rig.catchUp()
  const tokens = (
    await Promise.all(['verification', 'password_reset'].map((kind) => rig.events(`user.${kind}_requested`, person.id)))
  ).flat()
  expect(tokens.map(({ data }) => tokensIn(String(data.token)).length)).toEqual([1, 1, 1])

  const outbox = JSON.stringify(await rig.sql.unsafe('select * from outbox'))
  expect(outbox).toContain(person.email)
  expect(tokensIn(outbox)).toEqual([])
  const bus = await connectBus({ url: vhost.url, name: 'auth' })
  const relay = startRelay(rig.sql, bus, 'auth')
  const messages: string[] = []
  await eventually(async () => {
    for (
      let message = await channel.get('everything', { noAck: true });
      message;
      message = await channel.get('everything', { noAck: true })
    )
      messages.push(JSON.stringify(message) + message.content.toString())
    return messages.filter((text) => text.includes('_requested.v1')).length >= 3
  })
  await relay.stop()
  await bus.close()
  await broker.close()
  expect(messages.join()).toContain(person.email)
  expect(tokensIn(messages.join())).toEqual([])
  for (const { data } of tokens)
    for (const text of [outbox, ...messages]) expect(text).not.toContain(String(data.token).split('.')[1] as string)
})
