import { afterAll, beforeAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { one, rows } from '#platform/data/db'
import type { UserSnapshot } from '#platform/events/events'
import { forgetClients } from '../appointments/expire.ts'
import { type Answer, type Call, expected, none, outcome, type Rig, startRig } from '../testing/testing.ts'

/** Two replicas, and the limits of a system that nobody has set up otherwise. */
let rig: Rig
beforeAll(async () => {
  rig = await startRig({ replicas: 2, max: 20, limits: { perSpecialty: 100, inAll: 20 } })
}, 60_000)
afterAll(() => rig?.stop())

const people = (count: number) => Promise.all(Array.from({ length: count }, () => rig.patient()))
const book = (as: UserSnapshot, doctor: UserSnapshot, start: string | undefined, more: Partial<Call> = {}) =>
  rig.wish(as, doctor, start ?? '', more)
const hold = (as: UserSnapshot, doctor: UserSnapshot, start: string | undefined, more: Partial<Call> = {}) =>
  rig.call('POST', '/v1/holds', { as, body: { doctorId: doctor.id, start }, ...more })
const join = (as: UserSnapshot, doctor: UserSnapshot, more: Partial<Call> = {}) =>
  rig.call('POST', '/v1/waitlist', { as, body: { doctorId: doctor.id, from: '2027-01-05', to: '2027-01-12' }, ...more })
const release = (as: UserSnapshot, id: string) => rig.call('DELETE', `/v1/holds/${id}`, { as })
const counted = (answers: Answer[]) => {
  const counts: Record<string, number> = {}
  for (const each of answers.map(outcome)) counts[each] = (counts[each] ?? 0) + 1
  return counts
}
const settled = (answer: Answer) => outcome(answer).slice(0, 3)

test('of 45 people at one address who want a doctor’s week at once, through two replicas, ten get a claim, by holds or by bookings', async () => {
  for (const claim of [hold, book]) {
    const doctor = await rig.doctor({ slotMinutes: 30 })
    const slots = await rig.slotsOf(doctor)
    const crowd = await people(45)
    const from = claim === hold ? '203.0.113.7' : '203.0.113.8'
    const answers = await Promise.all(crowd.map((as, nth) => claim(as, doctor, slots[nth], { from, replica: nth % 2 })))
    expect(counted(answers)).toEqual({ '201': 10, '409 booking_limit': 35 })
    expect(await rig.slotsOf(doctor)).toHaveLength(slots.length - 10)
    const [stranger] = await people(1)
    expect(settled(await claim(stranger as UserSnapshot, doctor, slots[50], { from: '203.0.113.99' }))).toBe('201')
    expect(settled(await claim((await people(1))[0] as UserSnapshot, await rig.doctor(), slots[50], { from }))).toBe('201')
  }
  expect(await rig.harm()).toEqual(none)
}, 60_000)

test('of 45 people at one address who join one waitlist at once, ten get a place', async () => {
  const [doctor, crowd] = [await rig.doctor(), await people(45)]
  const answers = await Promise.all(crowd.map((as, nth) => join(as, doctor, { from: '203.0.113.9', replica: nth % 2 })))
  expect(counted(answers)).toEqual({ '201': 10, '409 booking_limit': 35 })
}, 60_000)

test('holds, bookings and places in the waitlist count together, and an IPv6 network counts as one address', async () => {
  const [doctor, crowd] = [await rig.doctor(), await people(13)]
  const slots = await rig.slotsOf(doctor)
  const from = (nth: number) => `2001:db8:1:2::${nth + 1}`
  const ways = [hold, book, (as: UserSnapshot, whom: UserSnapshot, _: unknown, more: Partial<Call>) => join(as, whom, more)]
  for (let nth = 0; nth < 10; nth++)
    expect(settled(await ways[nth % 3]!(crowd[nth] as UserSnapshot, doctor, slots[nth], { from: from(nth) }))).toBe('201')
  for (const [nth, way] of ways.entries())
    expect(outcome(await way(crowd[10 + nth] as UserSnapshot, doctor, slots[20], { from: from(50) }))).toBe('409 booking_limit')
  expect(settled(await book(crowd[12] as UserSnapshot, doctor, slots[20], { from: '2001:db8:1:3::1' }))).toBe('201')
})

test('a claim that ends or passes counts no more, and one that stays a claim counts once', async () => {
  const [doctor, crowd] = [await rig.doctor(), await people(13)]
  const slots = await rig.slotsOf(doctor)
  const from = '203.0.113.11'
  const who = (nth: number) => crowd[nth] as UserSnapshot
  const refused = async () => expect(outcome(await book(who(12), doctor, slots[40], { from }))).toBe('409 booking_limit')
  const next = async (nth: number) => void expect(settled(await book(who(nth), doctor, slots[nth], { from }))).toBe('201')
  const booked: string[] = []
  for (let nth = 0; nth < 8; nth++) booked.push((await expected(201, book(who(nth), doctor, slots[nth], { from }))).body.id)
  const held = (await expected(201, hold(who(8), doctor, slots[8], { from }))).body
  await expected(201, join(who(9), doctor, { from }))
  await refused()
  // a hold that is booked was counted before
  await expected(201, rig.wish(who(8), doctor, slots[8] ?? '', { holdId: held.id, from }))
  await refused()
  await expected(200, rig.act(who(0), booked[0] ?? '', 'cancel', { reason: 'x' }))
  // the slot went to who waits: a place became an offer, and a booking ended
  await next(10)
  await refused()
  await expected(200, rig.act(doctor, booked[1] ?? '', 'decline', { reason: 'x' }))
  await next(11)
  await refused()
  rig.now = Temporal.Instant.from(slots[2] ?? '').add({ seconds: 1 })
  await expected(201, book(who(12), doctor, slots[40], { from }))
  rig.now = Temporal.Instant.from('2027-01-04T12:00:00Z')
})

test('one slot that many at one address want is taken and not refused for their number', async () => {
  const [doctor, crowd] = [await rig.doctor(), await people(40)]
  const slots = await rig.slotsOf(doctor)
  for (let nth = 0; nth < 9; nth++) await expected(201, book(crowd[nth] as UserSnapshot, doctor, slots[nth], { from: '203.0.113.12' }))
  const answers = await Promise.all(
    crowd.slice(9).map((as, nth) => book(as, doctor, slots[30], { from: '203.0.113.12', replica: nth % 2 }))
  )
  expect(counted(answers)).toEqual({ '201': 1, '409 slot_taken': 30 })
})

test('no address is stored, and nothing of it once the claim has ended', async () => {
  const [doctor, [ana]] = [await rig.doctor(), await people(1)]
  const slots = await rig.slotsOf(doctor)
  const { id } = (await expected(201, book(ana as UserSnapshot, doctor, slots[0], { from: '203.0.113.13' }))).body
  const stored = await one<{ client: string | null; all: string }>(
    rig.sql,
    SQL`select client, a::text as all from appointments a where id = ${id}`
  )
  expect(stored.client).toMatch(/^[\w-]{22}$/)
  expect(stored.all).not.toContain('203.0.113')
  await expected(200, rig.act(ana as UserSnapshot, id, 'cancel', { reason: 'x' }))
  await forgetClients(rig.sql, rig.now)
  expect(await rows(rig.sql, SQL`select 1 from appointments where id = ${id} and client is not null`)).toEqual([])
})

test('a slot is held three times a day by one patient, and then no more, whether given up or run out', async () => {
  const [doctor, [ana, bia]] = [await rig.doctor(), (await people(2)) as [UserSnapshot, UserSnapshot]]
  const slots = await rig.slotsOf(doctor)
  for (let round = 0; round < 3; round++) {
    const { id } = (await expected(201, hold(ana, doctor, slots.at(-1)))).body
    if (round === 1) expect((await release(ana, id)).status).toBe(204)
    else rig.pass({ minutes: 5 })
  }
  const refused = await hold(ana, doctor, slots.at(-1))
  expect(outcome(refused)).toBe('429 rate_limited')
  expect(Number(refused.headers.get('retry-after'))).toBe(24 * 3600 - 10 * 60)
  expect(refused.headers.get('ratelimit-policy')).toBe('"holds";q=3;w=86400')
  expect(refused.headers.get('ratelimit')).toBe(`"holds";r=0;t=${24 * 3600 - 10 * 60}`)
  // it can be booked all the same, and anybody else may hold it
  await release(bia, (await expected(201, hold(bia, doctor, slots.at(-1)))).body.id)
  rig.pass({ minutes: 24 * 60 - 10 })
  expect(outcome(await hold(ana, doctor, slots.at(-1)))).toBe('201')
  rig.now = Temporal.Instant.from('2027-01-04T12:00:00Z')
})

test('a doctor’s slots are held ten times a day by one patient, all slots thirty times', async () => {
  const doctors = [await rig.doctor(), await rig.doctor(), await rig.doctor(), await rig.doctor()]
  const [ana] = (await people(1)) as [UserSnapshot]
  const slots = await rig.slotsOf(doctors[0] as UserSnapshot)
  const tries = async (doctor: UserSnapshot | undefined) => {
    const words: string[] = []
    for (let nth = 0; nth < 11; nth++) {
      const answer = await hold(ana, doctor as UserSnapshot, slots[nth])
      words.push(outcome(answer))
      if (answer.status === 201) await release(ana, answer.body.id)
    }
    return words
  }
  for (const doctor of doctors.slice(0, 3)) expect(await tries(doctor)).toEqual([...Array(10).fill('201'), '429 rate_limited'])
  expect(await tries(doctors[3])).toEqual(Array(11).fill('429 rate_limited'))
})

test('a patient books twenty times an hour and forty a day, however many are cancelled, and learns when it goes on', async () => {
  const [doctor, [ana, bia]] = [await rig.doctor(), (await people(2)) as [UserSnapshot, UserSnapshot]]
  const slots = await rig.slotsOf(doctor, '?from=2027-01-05&to=2027-02-20')
  let nth = 0
  const bookAndCancel = async () => {
    const answer = await book(ana, doctor, slots[nth++])
    if (answer.status === 201) await expected(200, rig.act(ana, answer.body.id, 'cancel', { reason: 'x' }))
    return answer
  }
  const hour = async (minutes: number) => {
    for (let count = 0; count < 20; count++) expect(outcome(await bookAndCancel())).toBe('201')
    const refused = await bookAndCancel()
    expect(outcome(refused)).toBe('429 rate_limited')
    expect(Number(refused.headers.get('retry-after'))).toBe(minutes * 60)
    return refused
  }
  const first = await hour(60)
  expect(first.headers.get('ratelimit-policy')).toBe('"bookings";q=20;w=3600')
  // who had no part in it books on, and holds are bookings only once they are booked
  await expected(201, book(bia, doctor, slots.at(-1)))
  const held = (await expected(201, hold(ana, doctor, slots.at(-2)))).body
  expect(outcome(await rig.wish(ana, doctor, slots.at(-2) ?? '', { holdId: held.id }))).toBe('429 rate_limited')
  await release(ana, held.id)
  rig.pass({ minutes: 60 })
  const second = await hour(24 * 60 - 60)
  expect(second.headers.get('ratelimit-policy')).toBe('"bookings";q=40;w=86400')
  rig.now = Temporal.Instant.from('2027-01-05T12:00:00Z')
  expect(outcome(await bookAndCancel())).toBe('201')
  rig.now = Temporal.Instant.from('2027-01-04T12:00:00Z')
}, 30_000)

test('the number holds for bookings that are asked for at once, with keys and without', async () => {
  for (const keyed of [true, false]) {
    const [doctor, [ana]] = [await rig.doctor(), (await people(1)) as [UserSnapshot]]
    const slots = await rig.slotsOf(doctor, '?from=2027-01-05&to=2027-02-20')
    for (let nth = 0; nth < 19; nth++)
      await expected(200, rig.act(ana, (await expected(201, book(ana, doctor, slots[nth]))).body.id, 'cancel', { reason: 'x' }))
    const answers = await Promise.all(
      slots
        .slice(30, 50)
        .map((start, nth) =>
          book(ana, doctor, start, { replica: nth % 2, ...(keyed && { headers: { 'idempotency-key': crypto.randomUUID() } }) })
        )
    )
    expect(counted(answers)).toEqual({ '201': 1, '429 rate_limited': 19 })
  }
}, 30_000)

test('a patient moves appointments twenty times an hour; the doctor as often as needed', async () => {
  const [doctor, [ana]] = [await rig.doctor(), (await people(1)) as [UserSnapshot]]
  const slots = await rig.slotsOf(doctor)
  const { id } = (await expected(201, book(ana, doctor, slots[0]))).body
  for (let nth = 1; nth <= 20; nth++) await expected(200, rig.act(ana, id, 'reschedule', { start: slots[nth] }))
  const refused = await rig.act(ana, id, 'reschedule', { start: slots[21] })
  expect([outcome(refused), refused.headers.get('retry-after')]).toEqual(['429 rate_limited', '3600'])
  await expected(200, rig.act(doctor, id, 'reschedule', { start: slots[22] }))
  rig.pass({ minutes: 60 })
  await expected(200, rig.act(ana, id, 'reschedule', { start: slots[21] }))
  rig.now = Temporal.Instant.from('2027-01-04T12:00:00Z')
})

test('nothing is claimed without a verified address; the event that tells of it is enough', async () => {
  const doctor = await rig.doctor()
  const slots = await rig.slotsOf(doctor)
  const unverified = await rig.patient({ emailVerified: false })
  expect(outcome(await hold(unverified, doctor, slots[0]))).toBe('403 email_not_verified')
  expect(outcome(await join(unverified, doctor))).toBe('403 email_not_verified')
  expect(outcome(await book(unverified, doctor, slots[0]))).toBe('403 email_not_verified')
  await rig.tell('healthmed.user.updated.v1', { ...unverified, emailVerified: true, version: 2 })
  expect(settled(await join(unverified, doctor))).toBe('201')
  expect(outcome(await hold(unverified, doctor, slots[0]))).toBe('201')
})
