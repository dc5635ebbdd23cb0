import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { UserSnapshot } from '#platform/events/events'
import { expected, outcome, type Rig, startRig } from '../testing/testing.ts'

let rig: Rig
let doctor: UserSnapshot
beforeAll(async () => {
  rig = await startRig()
  doctor = await rig.doctor()
})
afterAll(() => rig?.stop())

const hold = (who: { id: string }, start: string, whom = doctor) =>
  rig.call('POST', '/v1/holds', { as: who, body: { doctorId: whom.id, start } })
const release = (who: { id: string }, id: string) => rig.call('DELETE', `/v1/holds/${id}`, { as: who })
const free = async (whom = doctor) => (await rig.slotsOf(whom)).at(-1) ?? ''

test('a hold keeps the slot for five minutes, for that patient alone, and is no appointment to anybody', async () => {
  const [patient, other] = [await rig.patient(), await rig.patient()]
  const start = await free()
  const held = await expected(201, hold(patient, start))
  expect(held.body as unknown).toEqual({
    id: held.body.id,
    start,
    end: Temporal.Instant.from(start).add({ hours: 1 }).toString(),
    expiresAt: rig.now.add({ minutes: 5 }).toString()
  })
  expect(await rig.slotsOf(doctor)).not.toContain(start)
  expect(outcome(await rig.wish(other, doctor, start))).toBe('409 slot_taken')
  expect(outcome(await hold(other, start))).toBe('409 slot_taken')
  for (const as of [patient, doctor]) {
    expect((await rig.call('GET', '/v1/appointments', { as })).body.items).toEqual([])
    expect(outcome(await rig.call('GET', `/v1/appointments/${held.body.id}`, { as }))).toBe('404 appointment_not_found')
  }
  expect(outcome(await rig.act(doctor, held.body.id, 'confirm'))).toBe('404 appointment_not_found')
})

test('a hold becomes the appointment in place, named or not', async () => {
  for (const named of [true, false]) {
    const patient = await rig.patient()
    const start = await free()
    const { id } = (await expected(201, hold(patient, start))).body
    rig.pass({ minutes: 2 })
    const booked = await expected(201, rig.wish(patient, doctor, start, named ? { holdId: id, reason: 'Dor' } : {}))
    expect(booked.body).toMatchObject({ id, status: 'requested', version: 1, start, createdAt: rig.now.toString() } as object)
    expect(outcome(await rig.act(doctor, id, 'confirm'))).toBe('200')
    expect(outcome(await rig.wish(patient, doctor, start, { holdId: id }))).toBe('409 hold_expired')
  }
})

test('after five minutes the hold is over to the millisecond: the slot is free again and the hold books nothing, job or no job', async () => {
  const [patient, other] = [await rig.patient(), await rig.patient()]
  const start = await free()
  const { id, expiresAt } = (await expected(201, hold(patient, start))).body
  rig.now = Temporal.Instant.from(expiresAt).subtract({ milliseconds: 1 })
  expect(await rig.slotsOf(doctor)).not.toContain(start)
  rig.now = Temporal.Instant.from(expiresAt)
  expect(await rig.slotsOf(doctor)).toContain(start)
  expect(outcome(await rig.wish(patient, doctor, start, { holdId: id }))).toBe('409 hold_expired')
  expect(outcome(await rig.wish(other, doctor, start))).toBe('201')
  const next = await free()
  const again = (await expected(201, hold(patient, next))).body
  rig.now = Temporal.Instant.from(again.expiresAt)
  expect(await rig.expire()).toBe(1)
  expect(outcome(await hold(other, next))).toBe('201')
})

test('a patient has one hold at a time; one that is given up or over makes room, and a wrong one does not pass', async () => {
  const [patient, other] = [await rig.patient(), await rig.patient()]
  const slots = await rig.slotsOf(doctor)
  const first = (await expected(201, hold(patient, slots[0] ?? ''))).body
  expect(outcome(await hold(patient, slots[1] ?? ''))).toBe('409 hold_limit')
  expect(outcome(await release(other, first.id))).toBe('404 not_found')
  expect((await release(patient, first.id)).status).toBe(204)
  expect(outcome(await release(patient, first.id))).toBe('404 not_found')
  const second = (await expected(201, hold(patient, slots[1] ?? ''))).body
  expect(outcome(await rig.wish(patient, doctor, slots[2] ?? '', { holdId: second.id }))).toBe('422 slot_unavailable')
  expect(outcome(await rig.wish(other, doctor, slots[1] ?? '', { holdId: second.id }))).toBe('409 hold_expired')
  rig.pass({ minutes: 5 })
  expect(outcome(await hold(patient, slots[2] ?? ''))).toBe('201')
})

test('of many holds that one patient asks for at once exactly one is kept', async () => {
  const patient = await rig.patient()
  const fresh = await rig.doctor()
  const slots = await rig.slotsOf(fresh)
  const answers = (await Promise.all(slots.slice(0, 10).map((start) => hold(patient, start, fresh)))).map(outcome)
  expect(answers.sort()).toEqual(['201', ...Array.from({ length: 9 }, () => '409 hold_limit')])
  expect(await rig.slotsOf(fresh)).toHaveLength(slots.length - 1)
})

test('what cannot be booked cannot be held', async () => {
  const patient = await rig.patient()
  expect(outcome(await hold(patient, '2027-01-09T13:01:00Z'))).toBe('422 slot_unavailable')
  expect(outcome(await hold(patient, '2027-01-09T13:00:00Z', { ...doctor, id: crypto.randomUUID() }))).toBe('404 doctor_not_found')
  expect(outcome(await hold(doctor, '2027-01-09T13:00:00Z'))).toBe('403 forbidden')
})
