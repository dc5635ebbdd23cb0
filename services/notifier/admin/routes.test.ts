import { afterAll, beforeAll, expect, test } from 'bun:test'
import { connect } from 'amqplib'
import SQL from 'sql-template-strings'
import { rows, run } from '#platform/data/db'
import { DEAD_LETTERS, EXCHANGE } from '#platform/events/bus'
import type { UserSnapshot } from '#platform/events/events'
import { handlerOf } from '#platform/http/app'
import { eventually, signer } from '#platform/testing/testing'
import { notifier } from '../app.ts'
import { type Rig, someAppointment, someDoctor, someEvent, somePatient, startRig } from '../testing/testing.ts'

let rig: Rig
let admin: string
let sign: Awaited<ReturnType<typeof signer>>
let handle: ReturnType<typeof handlerOf>
beforeAll(async () => {
  rig = await startRig()
  sign = await signer()
  admin = await sign.bearer({ role: 'admin' })
  handle = handlerOf(notifier({ sql: rig.sql, bus: rig.bus, verify: sign.verify, clock: () => Temporal.Now.instant(), checks: [] }))
})
afterAll(() => rig.stop())

type Item = {
  id: string
  recipient: string | null
  status: string
  event: string
  template: string
  attempts: number
  reason: string
  queue: string
}
type Body = { items: Item[]; nextCursor: string | null; code?: string; replayed?: number; status?: string }
const call = async (method: string, path: string, { token = admin, body }: { token?: string; body?: unknown } = {}) => {
  const headers = { authorization: token, ...(body !== undefined && { 'content-type': 'application/json' }) }
  const answer = await handle(
    new Request(`http://localhost/v1/admin${path}`, {
      method,
      headers,
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) })
    })
  )
  return { status: answer.status, body: (await answer.json()) as Body }
}
async function booked(people: UserSnapshot[] = [someDoctor(), somePatient()]) {
  const [doctor, patient] = people as [UserSnapshot, UserSnapshot]
  await rig.publish(...people.map((person) => someEvent('healthmed.user.registered.v1', person)))
  await rig.publish(someEvent('healthmed.appointment.requested.v1', someAppointment(doctor, patient)))
  await rig.mailsTo(patient.email, 1)
  await rig.mailsTo(doctor.email, 1)
  await eventually(async () => (await rows(rig.sql, SQL`select 1 from mails where status in ('pending', 'sending')`)).length === 0)
  return { doctor, patient }
}

test.each([
  ['GET', '/notifications'],
  ['POST', `/notifications/${Bun.randomUUIDv7()}/resend`],
  ['GET', '/dead-letters'],
  ['POST', '/dead-letters/replay']
])('%s %s is for administrators', async (method, path) => {
  expect((await call(method, path, { token: '' })).status).toBe(401)
  for (const role of ['patient', 'doctor'] as const)
    expect((await call(method, path, { token: await sign.bearer({ role }) })).status).toBe(403)
})

test('an administrator sees what was sent to whom, with the recipient masked, and can narrow it', async () => {
  const { patient } = await booked()
  const { body } = await call('GET', `/notifications?to=${encodeURIComponent(patient.email.toUpperCase())}`)
  expect(body.items).toHaveLength(1)
  expect(body.items[0]).toMatchObject({
    recipient: 'j***@example.com',
    status: 'sent',
    event: 'healthmed.appointment.requested.v1',
    template: 'appointment_requested',
    attempts: 1
  })
  expect(JSON.stringify(body)).not.toContain(patient.email)
  const count = async (query: string) => (await call('GET', `/notifications?to=${patient.email}&${query}`)).body.items.length
  expect(await count('event=appointment.requested')).toBe(1)
  expect(await count('event=healthmed.appointment.requested.v1')).toBe(1)
  expect(await count('event=appointment.confirmed')).toBe(0)
  expect(await count('status=sent')).toBe(1)
  expect(await count('status=failed')).toBe(0)
  expect((await call('GET', '/notifications?status=lost')).body.code).toBe('validation_failed')
  expect((await call('GET', '/notifications?cursor=x')).body.code).toBe('validation_failed')
})

test('pages go through all of them, each once', async () => {
  await booked()
  const all = (await call('GET', '/notifications?limit=100')).body.items.map(({ id }) => id)
  const seen: string[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { body } = await call('GET', `/notifications?limit=1${cursor && `&cursor=${cursor}`}`)
    seen.push(...body.items.map(({ id }) => id))
    cursor = body.nextCursor
  }
  expect(seen).toEqual(all)
})

test('a mail is sent again with the same Message-ID and the same calendar SEQUENCE', async () => {
  const { doctor, patient } = await booked()
  const visit = someAppointment(doctor, patient, { status: 'confirmed', version: 2 })
  await rig.publish(someEvent('healthmed.appointment.confirmed.v1', visit))
  await rig.mailsTo(patient.email, 2)
  const confirmed = await eventually(
    async () => (await call('GET', `/notifications?to=${patient.email}&event=appointment.confirmed&status=sent`)).body.items[0]
  )
  const { status, body } = await call('POST', `/notifications/${confirmed.id}/resend`)
  expect([status, body.status]).toEqual([202, 'pending'])
  const [, first, second] = await rig.mailsTo(patient.email, 3)
  expect(second?.parsed.messageId).toBe(first?.parsed.messageId ?? '')
  const sequence = (mail: typeof first) => /SEQUENCE:(\d+)/.exec(String(mail?.parsed.attachments[0]?.content))?.[1]
  expect(sequence(second)).toBe('2')
  expect(sequence(first)).toBe('2')
})

test('what cannot be made again is not: unknown, without its token, or to somebody erased', async () => {
  const { patient } = await booked()
  expect((await call('POST', `/notifications/${Bun.randomUUIDv7()}/resend`)).body.code).toBe('not_found')
  expect((await call('POST', '/notifications/x/resend')).body.code).toBe('not_found')
  const token = { id: patient.id, token: 'secret', expiresAt: '2099-01-01T00:00:00Z' }
  await rig.publish(someEvent('healthmed.user.password_reset_requested.v1', token))
  const reset = await eventually(
    async () => (await call('GET', `/notifications?to=${patient.email}&event=user.password_reset_requested&status=sent`)).body.items[0]
  )
  const refused = await call('POST', `/notifications/${reset.id}/resend`)
  expect([refused.status, refused.body.code]).toEqual([409, 'conflict'])
})

const publishRaw = async (content: string, properties: { messageId: string; type: string }) => {
  const connection = await connect(rig.vhostUrl)
  const channel = await connection.createConfirmChannel()
  channel.publish(EXCHANGE, 'healthmed.user.updated.v9', Buffer.from(content), properties)
  await channel.waitForConfirms()
  await connection.close()
}
const letters = async () => (await call('GET', '/dead-letters?limit=100')).body.items

test.each([
  ['malformed JSON', '{', 'not JSON'],
  [
    'an unknown version',
    JSON.stringify({ ...someEvent('healthmed.user.updated.v1', somePatient()), type: 'healthmed.user.updated.v9' }),
    'not known here'
  ],
  ['a missing field', JSON.stringify({ ...someEvent('healthmed.user.updated.v1', somePatient()), data: {} }), 'not valid at']
])('%s ends as a dead letter with its reason, and others go on', async (_, content, reason) => {
  const messageId = Bun.randomUUIDv7()
  await publishRaw(content, { messageId, type: 'healthmed.user.updated.v1' })
  await booked()
  const letter = await eventually(async () =>
    (await letters()).find((item) => (item as Item & { messageId: string }).messageId === messageId)
  )
  expect(letter.queue).toBe('notifier.events.v1')
  expect(letter.reason).toContain(reason)
})

test('dead letters are put back, and those that can be processed now are', async () => {
  await run(rig.sql, SQL`delete from dead_letters`)
  const person = someDoctor()
  const event = someEvent('healthmed.doctor.approved.v1', { id: person.id })
  await rig.bus.deadLetter(Buffer.from(JSON.stringify(event)), {
    queue: 'notifier.events.v1',
    type: event.type,
    messageId: event.id,
    reason: 'the person is not known yet'
  })
  await rig.bus.deadLetter(Buffer.from('{'), {
    queue: 'notifier.events.v1',
    type: 'x',
    messageId: 'broken',
    reason: 'the message is not JSON'
  })
  await eventually(async () => (await letters()).length === 2)
  await rig.publish(someEvent('healthmed.user.registered.v1', person))
  const first = (await letters())[0]
  expect((await call('POST', '/dead-letters/replay', { body: { ids: [Bun.randomUUIDv7()] } })).body.replayed).toBe(0)
  const one = await call('POST', '/dead-letters/replay', { body: { ids: [first?.id] } })
  expect([one.status, one.body.replayed]).toEqual([202, 1])
  const [mail] = await rig.mailsTo(person.email, 1)
  expect(mail?.parsed.subject).toBe('Seu cadastro foi aprovado')
  expect((await call('POST', '/dead-letters/replay')).body.replayed).toBe(1)
  expect(await eventually(async () => (await letters())[0])).toMatchObject({ reason: 'the message is not JSON' })
  expect((await call('POST', '/dead-letters/replay', { body: { ids: [], more: 1 } })).status).toBe(422)
})

test('a dead letter whose queue is gone stays, and its replay is not counted', async () => {
  await run(rig.sql, SQL`delete from dead_letters`)
  await rig.bus.deadLetter(Buffer.from('{}'), { queue: 'nobody.events', type: 'x', messageId: Bun.randomUUIDv7(), reason: 'x' })
  await eventually(async () => (await letters()).length === 1)
  expect((await call('POST', '/dead-letters/replay')).body.replayed).toBe(0)
  expect(await letters()).toHaveLength(1)
})

test('the queue of dead letters is emptied into the table', async () => {
  const connection = await connect(rig.vhostUrl)
  const channel = await connection.createChannel()
  expect((await channel.checkQueue(DEAD_LETTERS)).messageCount).toBe(0)
  await connection.close()
})

test('a replay with a body that is none puts nothing back', async () => {
  for (const body of ['{"ids":[', '{', '[]]', 'all']) {
    const refused = await call('POST', '/dead-letters/replay', { body })
    expect([body, refused.status, refused.body.code]).toEqual([body, 400, 'malformed_json'])
  }
  for (const body of ['[]', '5', 'null', '"all"', 'true']) {
    const refused = await call('POST', '/dead-letters/replay', { body })
    expect([body, refused.status, refused.body.code]).toEqual([body, 422, 'validation_failed'])
  }
})
