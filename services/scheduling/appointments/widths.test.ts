import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { UserSnapshot } from '#platform/events/events'
import { type Body, everyDay, none, type Rig, startRig, word } from '../testing/testing.ts'

/** Two replicas of the service, each with its own pool, on one database. */
let rig: Rig
beforeAll(async () => {
  rig = await startRig({ replicas: 2, max: 20 })
}, 60_000)
afterAll(() => rig?.stop())

const MINUTE_MS = 60_000
const AT_ONCE = 200
/** Ten in the morning in São Paulo, where the day of every doctor here begins. */
const firstOf = (day: number) => Date.parse(`2027-01-${String(5 + day).padStart(2, '0')}T13:00:00Z`)
const at = (ms: number) => Temporal.Instant.fromEpochMilliseconds(ms).toString()
const overlaps = (a: { start: number; end: number }, b: { start: string; end: string }) =>
  a.start < Date.parse(b.end) && Date.parse(b.start) < a.end
const openOf = async (as: UserSnapshot): Promise<Body[]> =>
  (await rig.call('GET', '/v1/appointments?status=requested&limit=100', { as })).body.items

test(`${AT_ONCE} at once for windows of 15, 30 and 45 minutes over each other, while the doctor changes the length`, async () => {
  const patients = await Promise.all(Array.from({ length: AT_ONCE }, () => rig.patient()))
  const doctor = await rig.doctor({ slotMinutes: 15, rules: everyDay('10:00', '13:00') })
  const lengths = [15, 30, 45]
  const publish = (nth: number) =>
    rig.call('PUT', '/v1/doctors/me/schedule', {
      as: doctor,
      body: { slotMinutes: lengths[nth % 3], rules: everyDay('10:00', '13:00') },
      replica: nth % 2
    })
  for (let day = 0; day < 10; day++) {
    const first = firstOf(day)
    const wishes = patients.map(async (patient, nth) => {
      const start = first + 15 * MINUTE_MS * (nth % 3)
      const wish = rig.wish(patient, doctor, at(start), { replica: nth % 2 })
      if (nth % 40 === 20) expect((await publish(day + nth / 20)).status).toBe(200)
      return { start, answer: await wish }
    })
    const answers = await Promise.all(wishes)
    const words = answers.map(({ answer }) => word(answer))
    expect(words.filter((each) => !['201', '409 slot_taken', '422 slot_unavailable'].includes(each))).toEqual([])
    expect(words).toContain('201')
    const booked = (await openOf(doctor)).filter(({ start }) => Date.parse(start) >= first && Date.parse(start) < first + 180 * MINUTE_MS)
    expect(booked).toHaveLength(words.filter((each) => each === '201').length)
    // nobody is told that a time is taken which nobody has
    for (const { start, answer } of answers.filter(({ answer }) => answer.body.code === 'slot_taken'))
      expect([answer.text, booked.some((one) => overlaps({ start, end: start + 45 * MINUTE_MS }, one))]).toEqual([answer.text, true])
  }
  expect(await rig.harm()).toEqual(none)
}, 120_000)

test(`one patient asks three doctors of 15, 30 and 45 minutes ${AT_ONCE} times at once, and is never in two places`, async () => {
  const lengths = [15, 30, 45]
  const doctors = await Promise.all(lengths.map((slotMinutes) => rig.doctor({ slotMinutes, rules: everyDay('10:00', '13:00') })))
  for (let day = 0; day < 10; day++) {
    const patient = await rig.patient()
    const wishes = Array.from({ length: AT_ONCE }, async (_, nth) => {
      const length = lengths[nth % 3] as number
      const start = firstOf(day) + length * MINUTE_MS * (Math.floor(nth / 3) % (90 / length))
      const wish = rig.wish(patient, doctors[nth % 3] as UserSnapshot, at(start), { replica: nth % 2 })
      return { start, end: start + length * MINUTE_MS, answer: await wish }
    })
    const answers = await Promise.all(wishes)
    const words = answers.map(({ answer }) => word(answer))
    expect(words.filter((each) => !['201', '409 slot_taken', '409 patient_conflict'].includes(each))).toEqual([])
    const booked = await openOf(patient)
    expect(booked).toHaveLength(words.filter((each) => each === '201').length)
    // between the three of them the patient's hour and a half is full: every window asked for is booked or under one that is
    for (const { start, end } of answers) expect(booked.some((one) => overlaps({ start, end }, one))).toBe(true)
  }
  expect(await rig.harm()).toEqual(none)
}, 120_000)
