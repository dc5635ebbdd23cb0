import { afterAll, beforeAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { rows, transaction } from '#platform/data/db'
import type { UserSnapshot } from '#platform/events/events'
import { everyDay, expected, outcome, type Rig, startRig } from '../testing/testing.ts'
import { readCalendar } from './read.ts'

let rig: Rig
let doctor: UserSnapshot
beforeAll(async () => {
  rig = await startRig()
  doctor = await rig.doctor()
})
afterAll(() => rig?.stop())

const slots = (query = '', headers: Record<string, string> = {}) => rig.call('GET', `/v1/doctors/${doctor.id}/slots${query}`, { headers })
const days = async (query: string) => [...new Set((await expected(200, slots(query))).body.slots.map(({ start }) => start.slice(0, 10)))]

test('without dates the next seven days are listed, with zone, length and price', async () => {
  const { body } = await expected(200, slots())
  expect(body as unknown).toMatchObject({
    doctorId: doctor.id,
    timezone: 'America/Sao_Paulo',
    slotMinutes: 60,
    price: { amount: 35000, currency: 'BRL' }
  })
  expect(body.slots[0]).toEqual({ start: '2027-01-04T13:00:00Z', end: '2027-01-04T14:00:00Z' })
  expect(await days('')).toHaveLength(7)
})

test('both dates are included and are days of the doctor’s zone; at most 62', async () => {
  expect(await days('?from=2027-01-06&to=2027-01-08')).toEqual(['2027-01-06', '2027-01-07', '2027-01-08'])
  expect(await days('?from=2027-01-06')).toHaveLength(7)
  expect(await days('?to=2027-01-05')).toEqual(['2027-01-04', '2027-01-05'])
  expect(await days('?from=2027-01-04&to=2027-03-06')).toHaveLength(62)
  expect(outcome(await slots('?from=2027-01-04&to=2027-03-07'))).toBe('422 range_too_long')
  expect(outcome(await slots('?from=2027-01-06&to=2027-01-05'))).toBe('422 validation_failed')
  expect(outcome(await slots('?from=2027-13-01'))).toBe('422 validation_failed')
  expect(outcome(await slots('?from=tomorrow'))).toBe('422 validation_failed')
  const east = await rig.doctor({ profile: { timezone: 'Pacific/Kiritimati' }, rules: everyDay('00:00', '01:00') })
  expect(await rig.slotsOf(east, '?from=2027-01-06&to=2027-01-06')).toEqual(['2027-01-05T10:00:00Z'])
})

test('the same slots are the same ETag, and who knows them is told so in no more words', async () => {
  const first = await slots()
  const etag = first.headers.get('etag') ?? ''
  const again = await slots('', { 'if-none-match': `"x", W/${etag}` })
  expect([again.status, again.text, again.headers.get('etag')]).toEqual([304, '', etag])
  await expected(201, rig.wish(await rig.patient(), doctor, first.body.slots[5]?.start ?? ''))
  const changed = await slots('', { 'if-none-match': etag })
  expect(changed.status).toBe(200)
  expect(changed.headers.get('etag')).not.toBe(etag)
})

// that the body stays behind is the listener's work, and tested at the gateway's sockets
test('HEAD answers as GET does', async () => {
  const head = await rig.call('HEAD', `/v1/doctors/${doctor.id}/slots`)
  expect([head.status, head.headers.get('etag')]).toEqual([200, (await slots()).headers.get('etag')])
})

test('the database plans the reading of calendars once, whether one is asked for or several', async () => {
  const other = await rig.doctor()
  const span = { from: new Date('2027-01-04'), to: new Date('2027-01-11'), now: new Date('2027-01-04') }
  const [plans] = await transaction(rig.sql, async (tx) => {
    for (const asked of [[doctor], [doctor, other], [other], [doctor], [other, doctor], [doctor], [other], [doctor, other]])
      await Promise.all(asked.map(({ id }) => readCalendar(tx, id, span)))
    return rows<{ anew: number }>(tx, SQL`select custom_plans as anew from pg_prepared_statements where statement like 'select asked.nth%'`)
  })
  // five times PostgreSQL plans for the values that it is given, and then compares
  expect(plans).toEqual({ anew: 5 })
})

test('a doctor who is none, and an id that cannot be one, are not found', async () => {
  expect(outcome(await rig.call('GET', `/v1/doctors/${crypto.randomUUID()}/slots`))).toBe('404 doctor_not_found')
  expect(outcome(await rig.call('GET', '/v1/doctors/x/slots'))).toBe('404 not_found')
})

test('the earliest slots of a specialty come over all its doctors, soonest first', async () => {
  const profile = { specialties: ['urologia'] }
  const early = await rig.doctor({ profile, rules: everyDay('10:00', '12:00') })
  const late = await rig.doctor({ profile, slotMinutes: 30, rules: everyDay('11:30', '13:00') })
  const earliest = (query = '') => rig.call('GET', `/v1/slots?specialty=urologia${query}`)
  const { items } = (await expected(200, earliest('&limit=5'))).body
  expect(items.map(({ start, doctor }) => [start.slice(11, 16), doctor.id])).toEqual([
    ['13:00', early.id],
    ['14:00', early.id],
    ['14:30', late.id],
    ['15:00', late.id],
    ['15:30', late.id]
  ])
  expect(items[3]).toMatchObject({ end: '2027-01-04T15:30:00Z', doctor: { nextSlot: '2027-01-04T14:30:00Z' } } as object)
  expect((await earliest()).body.items).toHaveLength(20)
  expect((await earliest('&from=2027-01-06&to=2027-01-06')).body.items.map(({ start }) => start.slice(0, 10))).toEqual(
    Array(5).fill('2027-01-06')
  )
  expect((await rig.call('GET', '/v1/slots?specialty=none')).body.items).toEqual([])
  expect(outcome(await rig.call('GET', '/v1/slots'))).toBe('422 validation_failed')
  expect(outcome(await earliest('&from=2027-01-01&to=2027-03-04'))).toBe('422 range_too_long')
})

test('of calendars that are read together, one that cannot be read fails alone', async () => {
  const [at, never] = [new Date('2027-01-05T12:00:00Z'), new Date(8.64e15)]
  const ask = (from: Date, to: Date) => readCalendar(rig.sql, doctor.id, { from, to, now: at })
  const good = Array.from({ length: 40 }, () => ask(at, at))
  // beyond what a column of instants holds, and a range that ends before it begins
  const bad = [ask(never, never), ask(at, new Date(0))]
  const outcomes = await Promise.allSettled([...good.slice(0, 20), ...bad, ...good.slice(20)])
  expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(2)
  expect((await Promise.all(good)).map((calendar) => calendar?.id)).toEqual(good.map(() => doctor.id))
})
