import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { connect, run } from '#platform/data/db'
import type { UserSnapshot } from '#platform/events/events'
import { eventually } from '#platform/testing/testing'
import { expected, type Rig, startRig } from '../testing/testing.ts'

let rig: Rig
let doctor: UserSnapshot
let patient: UserSnapshot
beforeAll(async () => {
  rig = await startRig({ replicas: 2, max: 20 })
  doctor = await rig.doctor()
  patient = await rig.patient()
})
afterAll(() => rig?.stop())

type Heard = { id: string; action: string; status: string; version: number; appointmentId: string }
const readers: { cancel: () => Promise<void> }[] = []
afterEach(async () => {
  for (const reader of readers.splice(0)) await reader.cancel()
})

/** Listens as a browser does, and gathers what it hears. */
async function listen(as: UserSnapshot, { replica = 0, after }: { replica?: number; after?: string } = {}): Promise<Heard[]> {
  const response = await rig.send('GET', '/v1/events', { as, replica, ...(after && { headers: { 'last-event-id': after } }) })
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream'])
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  readers.push(reader)
  const heard: Heard[] = []
  const decoder = new TextDecoder()
  let text = ''
  void (async () => {
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      text += decoder.decode(value, { stream: true })
      const frames = text.split('\n\n')
      text = frames.pop() ?? ''
      for (const frame of frames) {
        const [, id, data] = /^id: (.+)\nevent: appointment\ndata: (.+)$/.exec(frame) ?? []
        if (id && data) heard.push({ id, ...JSON.parse(data) })
      }
    }
  })()
  return heard
}
const free = async () => (await rig.slotsOf(doctor)).at(-1) ?? ''
const words = (heard: Heard[]) => heard.map(({ action, status, version }) => `${action} ${status} ${version}`)

test('both parties hear of each change as it happens, through whichever replica, and nobody else does', async () => {
  const streams = await Promise.all([listen(patient), listen(doctor, { replica: 1 }), listen(await rig.patient())])
  const { id } = (await expected(201, rig.wish(patient, doctor, await free(), { replica: 1 }))).body
  await expected(200, rig.act(doctor, id, 'confirm'))
  await expected(200, rig.act(patient, id, 'cancel', { reason: 'Segredo' }))
  const [mine, theirs, stranger] = streams
  await eventually(() => mine?.length === 3 && theirs?.length === 3)
  expect(words(mine ?? [])).toEqual(['book requested 1', 'confirm confirmed 2', 'cancel cancelled 3'])
  expect(theirs).toEqual(mine ?? [])
  expect(mine?.every(({ appointmentId }) => appointmentId === id)).toBe(true)
  expect(JSON.stringify(mine)).not.toContain('Segredo')
  expect(stranger).toEqual([])
})

test('who comes back with the last id hears what was missed, once, in order, and then goes on', async () => {
  const before = await listen(patient)
  const { id } = (await expected(201, rig.wish(patient, doctor, await free()))).body
  const last = (await eventually(() => before[0])).id
  await readers.splice(0)[0]?.cancel()
  await expected(200, rig.act(doctor, id, 'confirm'))
  await expected(200, rig.act(doctor, id, 'reschedule', { start: (await rig.slotsOf(doctor))[0] }))
  const after = await listen(patient, { after: last, replica: 1 })
  await eventually(() => after.length === 2)
  await expected(200, rig.act(patient, id, 'cancel', { reason: 'x' }))
  await eventually(() => after.length === 3)
  expect(words(after)).toEqual(['confirm confirmed 2', 'reschedule confirmed 3', 'cancel cancelled 4'])
})

test('who comes without an id hears nothing of the past', async () => {
  const heard = await listen(patient)
  const { id } = (await expected(201, rig.wish(patient, doctor, await free()))).body
  await eventually(() => heard.length > 0)
  expect(heard.map(({ appointmentId }) => appointmentId)).toEqual([id])
})

test('a change that is committed after a later one is neither lost nor told twice', async () => {
  const { id } = (await expected(201, rig.wish(patient, doctor, await free()))).body
  const heard = await listen(doctor)
  const slow = connect(rig.database.url, { name: 'slow', max: 1 })
  const entry = SQL`insert into history (appointment_id, doctor_id, patient_id, at, actor_role, action, to_status, version)
                    values (${id}::uuid, ${doctor.id}::uuid, ${patient.id}::uuid, now(), 'system', 'slow', 'requested', 1)`
  let other = ''
  await slow.begin(async (tx) => {
    await run(tx, entry)
    other = (await expected(201, rig.wish(await rig.patient(), doctor, await free()))).body.id
  })
  await eventually(() => heard.length === 2)
  await expected(200, rig.act(doctor, other, 'confirm'))
  await eventually(() => heard.length === 3)
  expect(words(heard).sort()).toEqual(['book requested 1', 'confirm confirmed 2', 'slow requested 1'])
  await slow.end()
})

test('fifty changes at once are all told, in an order that a second listener from the start hears as well', async () => {
  const busy = await rig.doctor()
  const heard = await listen(busy)
  const slots = (await rig.slotsOf(busy)).slice(0, 50)
  await Promise.all(slots.map(async (start, index) => expected(201, rig.wish(await rig.patient(), busy, start, { replica: index % 2 }))))
  await eventually(() => heard.length === 50)
  const again = await listen(busy, { after: heard[9]?.id ?? '' })
  await eventually(() => again.length === 40)
  expect(again).toEqual(heard.slice(10))
})

test('a stream needs a token, and an id that is none is refused', async () => {
  expect((await rig.call('GET', '/v1/events')).status).toBe(401)
  expect((await rig.call('GET', '/v1/events', { as: patient, headers: { 'last-event-id': 'x' } })).status).toBe(422)
})

/** A stream of a session of a test's own, read to its end. */
async function openSession(user: UserSnapshot, sid: string) {
  await rig.signIn(user, sid)
  const response = await rig.send('GET', '/v1/events', { as: user })
  const stream = { isOver: false }
  response.text().then(() => Object.assign(stream, { isOver: true }))
  return stream
}

test('a stream ends with its session, though the token still runs, and the other sessions of the person go on', async () => {
  const [one, two] = [await openSession(patient, Bun.randomUUIDv7()), Bun.randomUUIDv7()]
  const other = await openSession(patient, two)
  expect([one.isOver, other.isOver]).toEqual([false, false])
  rig.endSession(two)
  await eventually(() => other.isOver, 2_000)
  expect(one.isOver).toBe(false)
  expect((await rig.send('GET', '/v1/events', { as: patient })).status).toBe(401)
  await rig.signIn(patient)
})
