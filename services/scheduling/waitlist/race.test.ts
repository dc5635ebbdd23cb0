import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { UserSnapshot } from '#platform/events/events'
import { type Answer, expected, none, outcome, type Rig, startRig, word } from '../testing/testing.ts'

/** Two replicas of the service, each with its own pool, on one database. */
let rig: Rig
beforeAll(async () => {
  rig = await startRig({ replicas: 2, max: 20 })
}, 60_000)
afterAll(() => rig?.stop())

type Entry = { status: string; offer?: { holdId: string; start: string } }
const day = '2027-01-05'
const start = `${day}T13:00:00Z`
const hour = (nth: number) => Temporal.Instant.from(`${day}T11:00:00Z`).add({ hours: nth }).toString()
const people = (count: number) => Promise.all(Array.from({ length: count }, () => rig.patient()))
const entryOf = async (as: UserSnapshot) => (await rig.call<{ items: Entry[] }>('GET', '/v1/waitlist', { as })).body.items[0]
const startsOffered = async (line: UserSnapshot[]) => (await Promise.all(line.map(entryOf))).map((entry) => entry?.offer?.start)
const rush = (crowd: UserSnapshot[], doctor: UserSnapshot, at: string) =>
  Promise.all(crowd.map((stranger, nth) => rig.wish(stranger, doctor, at, { replica: nth % 2 })))
const wordsOf = (answers: Answer[]) => [...new Set(answers.map(word))]

async function joinAll(line: UserSnapshot[], doctor: UserSnapshot) {
  for (const as of line) {
    await expected(201, rig.call('POST', '/v1/waitlist', { as, body: { doctorId: doctor.id, from: day, to: day } }))
    rig.pass({ seconds: 1 })
  }
}

test('a slot that frees amid forty who rush for it goes to the first in line, and down the line one by one as offers lapse', async () => {
  const doctor = await rig.doctor()
  const holder = await rig.patient()
  const { id } = (await expected(201, rig.wish(holder, doctor, start))).body
  const [line, crowd] = [await people(6), await people(40)]
  await joinAll(line, doctor)
  for (const [nth, patient] of line.entries()) {
    const lapsed = await entryOf(line[nth - 1] ?? holder)
    const late = lapsed?.offer && rig.wish(line[nth - 1] as UserSnapshot, doctor, start, { holdId: lapsed.offer.holdId })
    const [answers] = await Promise.all([
      rush(crowd, doctor, start),
      nth === 0 && rig.act(holder, id, 'cancel', { reason: 'x' }),
      rig.expire(0),
      rig.expire(1),
      late
    ])
    expect(wordsOf(answers)).toEqual(['409 slot_taken'])
    if (late) expect((await late).status).toBeGreaterThanOrEqual(400)
    expect((await entryOf(patient))?.offer?.start).toBe(start)
    expect((await startsOffered(line)).filter(Boolean)).toHaveLength(1)
    rig.pass({ minutes: 15 })
  }
  await Promise.all([rig.expire(0), rig.expire(1)])
  expect((await rush(crowd, doctor, start)).filter(({ status }) => status === 201)).toHaveLength(1)
  expect(await rig.harm()).toEqual(none)
}, 60_000)

test('of slots that free at one moment each goes to another of the line, and nobody who waits is passed by', async () => {
  for (let round = 0; round < 5; round++) {
    const doctor = await rig.doctor()
    const [holders, line] = [await people(6), await people(8)]
    const booked = await Promise.all(holders.map((who, nth) => expected(201, rig.wish(who, doctor, hour(nth)))))
    await joinAll(line, doctor)
    const cancelled = holders.map((as, nth) =>
      rig.call('POST', `/v1/appointments/${booked[nth]?.body.id}/cancel`, { as, body: { reason: 'x' }, replica: nth % 2 })
    )
    expect(wordsOf(await Promise.all(cancelled))).toEqual(['200'])
    const offered = await startsOffered(line)
    expect(offered.slice(0, 6).sort()).toEqual(holders.map((_, nth) => hour(nth)))
    expect(offered.slice(6)).toEqual([undefined, undefined])
  }
  expect(await rig.harm()).toEqual(none)
}, 60_000)

test('an offer that is taken, given up and lapsing at once ends in one way', async () => {
  for (let round = 0; round < 10; round++) {
    const doctor = await rig.doctor()
    const [holder, first, second] = (await people(3)) as [UserSnapshot, UserSnapshot, UserSnapshot]
    const { id } = (await expected(201, rig.wish(holder, doctor, start))).body
    await joinAll([first, second], doctor)
    await expected(200, rig.act(holder, id, 'cancel', { reason: 'x' }))
    const holdId = (await entryOf(first))?.offer?.holdId ?? ''
    const [taken] = await Promise.all([
      rig.wish(first, doctor, start, { holdId, replica: round % 2 }),
      rig.call('DELETE', `/v1/holds/${holdId}`, { as: first, replica: 1 }),
      rig.expire(round % 2)
    ])
    expect(await entryOf(first)).toBeUndefined()
    expect((await entryOf(second))?.offer?.start).toBe(taken.status === 201 ? undefined : start)
    expect(outcome(await rig.wish(holder, doctor, start))).toBe('409 slot_taken')
  }
  expect(await rig.harm()).toEqual(none)
}, 60_000)

test('of forty doctors’ lines that one person joins at once, through two replicas, ten give a place', async () => {
  const doctors = await Promise.all(Array.from({ length: 40 }, () => rig.doctor()))
  const [eager] = (await people(1)) as [UserSnapshot]
  const answers = await Promise.all(
    doctors.map((doctor, nth) =>
      rig.call('POST', '/v1/waitlist', { as: eager, body: { doctorId: doctor.id, from: day, to: day }, replica: nth % 2 })
    )
  )
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(10)
  expect(answers.filter((answer) => outcome(answer) === '409 conflict')).toHaveLength(30)
}, 60_000)

test('of forty places that one person wants in one line at once, for as many spans of days, there is one', async () => {
  const doctor = await rig.doctor()
  const [eager] = (await people(1)) as [UserSnapshot]
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, nth) => {
      const to = Temporal.PlainDate.from(day).add({ days: nth }).toString()
      return rig.call('POST', '/v1/waitlist', { as: eager, body: { doctorId: doctor.id, from: day, to }, replica: nth % 2 })
    })
  )
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(39)
  expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1)
  expect((await rig.call('GET', '/v1/waitlist', { as: eager })).body.items).toHaveLength(1)
}, 60_000)
