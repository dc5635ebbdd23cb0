import { afterAll, beforeAll, expect, test } from 'bun:test'
import ICAL from 'ical.js'
import SQL from 'sql-template-strings'
import { rows, transaction } from '#platform/data/db'
import { peopleHandlers } from '../people/follow.ts'
import { eventOf, expected, outcome, type Rig, startRig } from '../testing/testing.ts'

let rig: Rig
beforeAll(async () => {
  rig = await startRig()
})
afterAll(() => rig?.stop())

const newFeed = async (as: { id: string }) =>
  new URL((await expected(201, rig.call('POST', '/v1/calendar-feed', { as }))).body.url).pathname
const eventsOf = (text: string) => new ICAL.Component(ICAL.parse(text)).getAllSubcomponents('vevent')
const values = (text: string, name: string): unknown[] => eventsOf(text).map((event) => event.getFirstPropertyValue(name))

test('a secret address gives the calendar without a token: the appointments of its owner, in any calendar program', async () => {
  const [doctor, patient] = [await rig.doctor({ user: { name: `Dra. ${'Íris Conceição '.repeat(8).trim()}` } }), await rig.patient()]
  const slots = await rig.slotsOf(doctor)
  const ids: string[] = []
  for (const start of [slots[0], slots[20]])
    ids.push((await expected(201, rig.wish(patient, doctor, start ?? '', { reason: 'Segredo' }))).body.id)
  await expected(200, rig.act(doctor, ids[1] ?? '', 'confirm'))
  const path = await newFeed(patient)
  expect(path).toMatch(/^\/v1\/calendar-feed\/[A-Za-z0-9_-]{32}\.ics$/)
  const feed = await rig.call('GET', path)
  expect([feed.status, feed.headers.get('content-type')]).toEqual([200, 'text/calendar; charset=utf-8'])
  expect(values(feed.text, 'uid')).toEqual(ids.map((id) => `${id}@healthmed`))
  expect(values(feed.text, 'status')).toEqual(['TENTATIVE', 'CONFIRMED'])
  expect(values(feed.text, 'sequence')).toEqual([1, 2])
  expect(values(feed.text, 'summary')).toEqual([`Health&Med: ${doctor.name}`, `Health&Med: ${doctor.name}`])
  expect(feed.text).toContain('DTSTART:20270104T130000Z\r\n')
  expect(feed.text).not.toContain('Segredo')
  for (const line of feed.text.split('\r\n')) expect(new TextEncoder().encode(line).length).toBeLessThanOrEqual(75)
  expect((await rig.call('GET', await newFeed(doctor))).text).toContain(`SUMMARY:Health&Med: ${patient.name}`)
})

test('a new address voids the one before, and only a hash of it is kept', async () => {
  const patient = await rig.patient()
  const [before, after] = [await newFeed(patient), await newFeed(patient)]
  expect(outcome(await rig.call('GET', before))).toBe('404 not_found')
  expect((await rig.call('GET', after)).status).toBe(200)
  const kept = JSON.stringify(await rows(rig.sql, SQL`select * from calendar_feeds where person_id = ${patient.id}::uuid`))
  expect(kept).not.toContain(after.slice(-36, -4))
})

test('an address that is none of ours is nothing, whatever it looks like', async () => {
  for (const file of [`${'a'.repeat(32)}.ics`, 'a.ics', `${'a'.repeat(33)}.ics`, `${'%00'.repeat(32)}.ics`])
    expect(outcome(await rig.call('GET', `/v1/calendar-feed/${file}`))).toBe('404 not_found')
})

test('the address of a person who is disabled or erased gives nothing', async () => {
  const [disabled, erased] = [await rig.patient(), await rig.patient()]
  const paths = [await newFeed(disabled), await newFeed(erased)]
  await rig.tell('healthmed.user.updated.v1', { ...disabled, disabled: true, version: 2 })
  await rig.tell('healthmed.user.erased.v1', { id: erased.id, role: 'patient', version: 2 })
  for (const path of paths) expect(outcome(await rig.call('GET', path))).toBe('404 not_found')
})

test('an empty calendar is a calendar', async () => {
  const { text } = await rig.call('GET', await newFeed(await rig.patient()))
  expect(new ICAL.Component(ICAL.parse(text)).getFirstPropertyValue('version')).toBe('2.0')
})

const revocation = 'healthmed.user.access_revoked.v1'

test.each(['logout_all', 'password_reset', 'disabled', 'email_verified'])('%s voids the feed', async (reason) => {
  const [patient, other] = [await rig.patient(), await rig.patient()]
  const [path, untouched] = [await newFeed(patient), await newFeed(other)]
  await rig.tell(revocation, { id: patient.id, reason })
  expect(outcome(await rig.call('GET', path))).toBe('404 not_found')
  expect((await rig.call('GET', untouched)).status).toBe(200)
})

test('a token that still runs after its session was revoked makes no feed; a later session does, and keeps it', async () => {
  const patient = await rig.patient()
  await newFeed(patient)
  const earlier = eventOf(revocation, { id: patient.id, reason: 'logout_all' })
  await rig.tell(revocation, { id: patient.id, reason: 'password_reset' })
  expect(outcome(await rig.call('POST', '/v1/calendar-feed', { as: patient }))).toBe('401 token_revoked')
  const path = await newFeed(await rig.signIn(patient))
  // one that comes late, or a second time, is about sessions of its own time
  await transaction(rig.sql, async (tx) => peopleHandlers(() => rig.now)[revocation]?.(tx, earlier))
  expect((await rig.call('GET', path)).status).toBe(200)
})

test('a feed that the previous release made is void as well', async () => {
  const patient = await rig.patient()
  const path = await newFeed(patient)
  await rig.sql`update calendar_feeds set session_id = null where person_id = ${patient.id}`
  await rig.tell(revocation, { id: patient.id, reason: 'logout_all' })
  expect(outcome(await rig.call('GET', path))).toBe('404 not_found')
})

test('a feed that is being made at that moment is void, or not made', async () => {
  for (let nth = 0; nth < 10; nth++) {
    const patient = await rig.patient()
    const [made] = await Promise.all([
      rig.call('POST', '/v1/calendar-feed', { as: patient }),
      rig.tell(revocation, { id: patient.id, reason: 'logout_all' })
    ])
    if (made.status === 201) expect(outcome(await rig.call('GET', new URL(made.body.url).pathname))).toBe('404 not_found')
    else expect(outcome(made)).toBe('401 token_revoked')
  }
})
