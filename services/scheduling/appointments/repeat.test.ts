import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { UserSnapshot } from '#platform/events/events'
import { expected, outcome, type Rig, startRig } from '../testing/testing.ts'

let rig: Rig
let doctor: UserSnapshot
let patient: UserSnapshot
beforeAll(async () => {
  rig = await startRig({ replicas: 2 })
  doctor = await rig.doctor()
  patient = await rig.patient()
})
afterAll(() => rig?.stop())

const key = (value: string = crypto.randomUUID()) => ({ 'idempotency-key': value })
const free = async (index = -1) => (await rig.slotsOf(doctor)).at(index) ?? ''

test('a booking sent again with its key gives the first answer again, by any replica, and books once', async () => {
  const [start, headers] = [await free(), key()]
  const first = await expected(201, rig.wish(patient, doctor, start, { headers }))
  expect(first.headers.get('idempotency-replayed')).toBeNull()
  for (const replica of [0, 1]) {
    const again = await rig.wish(patient, doctor, start, { headers, replica })
    expect(again.status).toBe(201)
    expect(again.body).toEqual(first.body)
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    expect(again.headers.get('location')).toBe(first.headers.get('location'))
    expect(again.headers.get('etag')).toBe(first.headers.get('etag'))
  }
})

test('a refusal is given again as well, though the slot is free by then', async () => {
  const [other, headers, start] = [await rig.patient(), key(), await free()]
  const taken = await expected(201, rig.wish(patient, doctor, start))
  const refused = await rig.wish(other, doctor, start, { headers })
  expect(outcome(refused)).toBe('409 slot_taken')
  await expected(200, rig.act(patient, taken.body.id, 'cancel', { reason: 'x' }))
  const again = await rig.wish(other, doctor, start, { headers })
  expect([outcome(again), again.headers.get('idempotency-replayed')]).toEqual(['409 slot_taken', 'true'])
  expect(again.headers.get('content-type')).toContain('application/problem+json')
  expect(outcome(await rig.wish(other, doctor, start, { headers: key() }))).toBe('201')
})

test('the same key with another body or path is refused; the same key of another caller is another key', async () => {
  const headers = key()
  const { id } = (await expected(201, rig.wish(patient, doctor, await free(), { headers }))).body
  expect(outcome(await rig.wish(patient, doctor, await free(), { headers }))).toBe('422 idempotency_key_reused')
  expect(outcome(await rig.act(patient, id, 'cancel', { reason: 'x' }, headers))).toBe('422 idempotency_key_reused')
  expect(outcome(await rig.wish(await rig.patient(), doctor, await free(), { headers }))).toBe('201')
})

test('a change sent again with its key is done once', async () => {
  const { id } = (await expected(201, rig.wish(patient, doctor, await free()))).body
  const headers = key()
  const [first, again] = [
    await rig.act(doctor, id, 'confirm', undefined, headers),
    await rig.act(doctor, id, 'confirm', undefined, headers)
  ]
  expect([first.status, again.status, again.body.version]).toEqual([200, 200, 2])
  expect(again.headers.get('idempotency-replayed')).toBe('true')
  expect((await rig.call<object[]>('GET', `/v1/appointments/${id}/history`, { as: patient })).body).toHaveLength(2)
})

test('of the same booking sent twenty times at once, through two replicas, one is made and none fails', async () => {
  const [start, headers] = [await free(), key()]
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) => rig.wish(patient, doctor, start, { headers, replica: index % 2 }))
  )
  const ids = new Set(answers.filter(({ status }) => status === 201).map(({ body }) => body.id))
  expect(ids.size).toBe(1)
  expect(answers.filter(({ status }) => status === 201).length).toBeGreaterThan(0)
  expect(new Set(answers.map(outcome))).toEqual(
    new Set(['201', ...(answers.some(({ status }) => status === 409) ? ['409 idempotency_in_progress'] : [])])
  )
})

test('a key that is none is refused', async () => {
  for (const value of ['a b', 'x'.repeat(256), 'é'])
    expect(outcome(await rig.wish(patient, doctor, await free(), { headers: key(value) }))).toBe('422 validation_failed')
})
