import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import type { UserSnapshot } from '#platform/events/events'
import { type Answer, expected, none, outcome, type Rig, startRig, word } from '../testing/testing.ts'

/** Two replicas of the service, each with its own pool, on one database. */
let rig: Rig
let crowd: UserSnapshot[]
beforeAll(async () => {
  rig = await startRig({ replicas: 2, max: 20 })
}, 60_000)
// people who have won nothing yet: whoever has an appointment then is refused for another reason
beforeEach(async () => {
  crowd = await Promise.all(Array.from({ length: 100 }, () => rig.patient()))
})
afterAll(() => rig?.stop())

const counted = (answers: Answer[]) => {
  const counts: Record<string, number> = {}
  for (const each of answers.map(word)) counts[each] = (counts[each] ?? 0) + 1
  return counts
}
const person = (index: number) => crowd[index % crowd.length] as UserSnapshot
const each = <T>(count: number, work: (index: number, replica: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, index) => work(index, index % 2)))
const hold = (as: UserSnapshot, doctor: UserSnapshot, start: string | undefined, replica = 0) =>
  rig.call('POST', '/v1/holds', { as, body: { doctorId: doctor.id, start }, replica })

test('of a hundred who ask for one slot at once, through two replicas, one gets it and 99 learn that it is taken', async () => {
  const doctor = await rig.doctor()
  for (const start of (await rig.slotsOf(doctor)).slice(0, 10)) {
    const answers = await each(100, (index, replica) => rig.wish(person(index), doctor, start, { replica }))
    expect(counted(answers)).toEqual({ '201': 1, '409 slot_taken': 99 })
  }
  expect(await rig.harm()).toEqual(none)
}, 60_000)

test('the same with idempotency keys, each request in a transaction of its own', async () => {
  const doctor = await rig.doctor()
  const start = (await rig.slotsOf(doctor))[30] ?? ''
  const headers = () => ({ 'idempotency-key': crypto.randomUUID() })
  const answers = await each(100, (index, replica) => rig.wish(person(index), doctor, start, { replica, headers: headers() }))
  expect(counted(answers)).toEqual({ '201': 1, '409 slot_taken': 99 })
  expect(await rig.harm()).toEqual(none)
}, 60_000)

test('a patient who asks ten doctors for one time at once gets one', async () => {
  const doctors = await each(10, () => rig.doctor())
  const patient = await rig.patient()
  const answers = await each(40, (index, replica) =>
    rig.wish(patient, doctors[index % 10] as UserSnapshot, '2027-01-08T13:00:00Z', { replica })
  )
  const counts = counted(answers)
  expect(counts['201']).toBe(1)
  expect((counts['409 patient_conflict'] ?? 0) + (counts['409 slot_taken'] ?? 0)).toBe(39)
  expect(counts['409 patient_conflict']).toBeGreaterThan(0)
  expect(await rig.harm()).toEqual(none)
})

test('neighbours who race for slots with a buffer between them never eat it', async () => {
  const doctor = await rig.doctor({ profile: { bufferMinutes: 20 }, slotMinutes: 30 })
  const slots = (await rig.slotsOf(doctor)).slice(0, 12)
  const answers = await each(96, (index, replica) => rig.wish(person(index), doctor, slots[index % 12] ?? '', { replica }))
  expect(Object.keys(counted(answers)).sort()).toEqual(['201', '409 slot_taken'])
  const booked = (await rig.call('GET', '/v1/appointments?limit=100', { as: doctor })).body.items
  for (const [index, { start }] of booked.entries()) {
    const before = booked[index - 1]
    if (before) expect(Date.parse(start) - Date.parse(before.end)).toBeGreaterThanOrEqual(20 * 60_000)
  }
  expect((await rig.slotsOf(doctor)).filter((start) => slots.includes(start))).toEqual([])
  expect(await rig.harm()).toEqual(none)
}, 30_000)

test('hours of another length published amid bookings leave no overlap, and every booking is one that was offered', async () => {
  const doctor = await rig.doctor({ slotMinutes: 15 })
  const day = { weekday: 1, start: '08:00', end: '17:00' }
  const publish = (slotMinutes: number, replica: number) =>
    rig.call('PUT', '/v1/doctors/me/schedule', { as: doctor, body: { slotMinutes, rules: [day] }, replica })
  const answers = await each(120, (index, replica) =>
    index % 12 === 0
      ? publish([15, 30, 45][(index / 12) % 3] ?? 15, replica)
      : rig.wish(
          person(index),
          doctor,
          Temporal.Instant.from('2027-01-11T11:00:00Z')
            .add({ minutes: 15 * (index % 20) })
            .toString(),
          { replica }
        )
  )
  const words = Object.keys(counted(answers))
  expect(words.filter((word) => !['200', '201', '409 slot_taken', '422 slot_unavailable'].includes(word))).toEqual([])
  expect(words).toContain('201')
  const booked = (await rig.call('GET', '/v1/appointments?limit=100', { as: doctor })).body.items
  for (const { start, end } of booked) {
    const length = (Date.parse(end) - Date.parse(start)) / 60_000
    expect([15, 30, 45]).toContain(length)
    expect(((Date.parse(start) - Date.parse('2027-01-11T11:00:00Z')) / 60_000) % length).toBe(0)
  }
  expect(await rig.harm()).toEqual(none)
}, 30_000)

test('once hours are closed no booking of them comes through any more', async () => {
  for (let round = 0; round < 5; round++) {
    const doctor = await rig.doctor()
    const [start = ''] = (await rig.slotsOf(doctor)).slice(-1)
    const closed = rig.call('PUT', '/v1/doctors/me/schedule', { as: doctor, body: { slotMinutes: 60, rules: [] }, replica: 1 })
    const answers = await each(20, (index, replica) => rig.wish(person(index), doctor, start, { replica }))
    const { conflicts } = (await expected(200, closed)).body
    const winner = answers.find(({ status }) => status === 201)
    expect(conflicts).toEqual(winner ? [winner.body.id] : [])
  }
})

test('moves and bookings into one slot: one gets it, and nobody who moves loses what they had', async () => {
  const doctor = await rig.doctor({ profile: { autoConfirm: true } })
  const slots = await rig.slotsOf(doctor)
  const goal = slots.at(-1) ?? ''
  const movers = await each(20, async (index) => {
    const who = await rig.patient()
    return { who, id: (await expected(201, rig.wish(who, doctor, slots[index] ?? ''))).body.id }
  })
  const answers = await each(60, (index, replica) => {
    const mover = movers[index % movers.length] as (typeof movers)[number]
    if (index >= 20) return rig.wish(person(index), doctor, goal, { replica })
    return rig.call('POST', `/v1/appointments/${mover.id}/reschedule`, { as: mover.who, body: { start: goal }, replica })
  })
  const counts = counted(answers)
  expect((counts['200'] ?? 0) + (counts['201'] ?? 0)).toBe(1)
  expect(counts['409 slot_taken']).toBe(59)
  const open = (await rig.call('GET', '/v1/appointments?status=confirmed&limit=100', { as: doctor })).body.items
  for (const { id } of movers) expect(open.some((appointment) => appointment.id === id)).toBe(true)
  expect(await rig.harm()).toEqual(none)
}, 30_000)

test('of a confirmation, a decline and a cancellation at once each that wins is a step of the state table', async () => {
  const doctor = await rig.doctor()
  for (const start of (await rig.slotsOf(doctor)).slice(0, 10)) {
    const patient = await rig.patient()
    const { id } = (await expected(201, rig.wish(patient, doctor, start))).body
    const reason = { reason: 'x' }
    const answers = await each(12, (index, replica) => {
      const verb = ['confirm', 'decline', 'cancel'][index % 3]
      return rig.call('POST', `/v1/appointments/${id}/${verb}`, {
        as: index % 2 && verb === 'cancel' ? patient : doctor,
        replica,
        ...(verb !== 'confirm' && { body: reason })
      })
    })
    expect(Object.keys(counted(answers)).sort()).toEqual(['200', '409 invalid_transition'])
    const trail = (await rig.call<{ from: string | null; to: string }[]>('GET', `/v1/appointments/${id}/history`, { as: doctor })).body
    expect(['requested>declined', 'requested>cancelled', 'requested>confirmed confirmed>cancelled']).toContain(
      trail
        .slice(1)
        .map(({ from, to }) => `${from}>${to}`)
        .join(' ')
    )
    expect(outcome(await rig.wish(await rig.patient(), doctor, start))).toBe('201')
    await rig.call(
      'POST',
      `/v1/appointments/${(await rig.call('GET', '/v1/appointments?status=requested', { as: doctor })).body.items[0]?.id}/decline`,
      { as: doctor, body: reason }
    )
  }
})

test('holds and bookings of one slot: one gets it; and holds that ran out are taken over by one alone', async () => {
  const doctor = await rig.doctor()
  const people = await each(60, () => rig.patient())
  const who = (index: number) => people[index] as UserSnapshot
  const [first, second] = await rig.slotsOf(doctor)
  const mixed = await each(60, (index, replica) =>
    index % 2 ? hold(who(index), doctor, first, replica) : rig.wish(who(index), doctor, first ?? '', { replica })
  )
  expect(counted(mixed)).toEqual({ '201': 1, '409 slot_taken': 59 })
  const late = await rig.patient()
  await expected(201, hold(late, doctor, second))
  rig.pass({ minutes: 5 })
  const [answers] = await Promise.all([
    each(60, (index, replica) => rig.wish(who(index), doctor, second ?? '', { replica })),
    rig.expire(0),
    rig.expire(1)
  ])
  expect(counted(answers)).toEqual({ '201': 1, '409 slot_taken': 59 })
  expect(await rig.harm()).toEqual(none)
}, 30_000)

test('expiry by two replicas and answers by the doctor meet each request once', async () => {
  const doctor = await rig.doctor({ profile: { answerWithinMinutes: 60 } })
  const slots = (await rig.slotsOf(doctor)).slice(10, 40)
  const ids = await each(30, async (index) => (await expected(201, rig.wish(person(index), doctor, slots[index] ?? ''))).body.id)
  rig.pass({ minutes: 60 })
  await Promise.all([rig.expire(0), rig.expire(1), ...ids.map((id) => rig.act(doctor, id, 'cancel', { reason: 'x' }))])
  while ((await rig.expire()) > 0);
  for (const id of ids) {
    const trail = (await rig.call<{ to: string }[]>('GET', `/v1/appointments/${id}/history`, { as: doctor })).body
    expect(trail).toHaveLength(2)
    expect(['expired', 'cancelled']).toContain(trail[1]?.to ?? '')
  }
  expect(await rig.harm()).toEqual(none)
}, 30_000)
