import { afterAll, beforeAll, expect, test } from 'bun:test'
import ICAL from 'ical.js'
import { eventually } from '#platform/testing/testing'
import { call, newDoctor, newPatient, type Person, slotsOf } from './client.ts'
import { type System, startSystem } from './system.ts'

/* What scheduling offers, seen through the gateway, over two replicas. */
let system: System
let doctor: Person
let ana: Person
let rui: Person

beforeAll(async () => {
  system = await startSystem({ BOOKING_LIMIT_PER_SPECIALTY: '20' }, { scheduling: 2 })
  doctor = await newDoctor(system, { name: 'Dra. Íris Conceição' })
  ana = await newPatient(system, { name: 'Ana Rocha' })
  rui = await newPatient(system, { name: 'Rui Sales' })
}, 120_000)
afterAll(() => system?.stop(), 30_000)

type Body = {
  id: string
  code: string
  status: string
  start: string
  version: number
  url: string
  expiresAt: string
  items: { id: string; start: string; nextSlot: string }[]
}
const send = (method: string, path: string, who?: Person, body?: unknown, headers: Record<string, string> = {}) =>
  call<Body>(system, method, path, { token: who?.token, body, headers })
const book = async (who: Person, start: string, more: object = {}) =>
  send('POST', '/v1/appointments', who, { doctorId: doctor.id, start, ...more })
const firstSlot = async () => (await slotsOf(system, doctor.id))[0]?.start as string

test('a held slot is kept for its patient and becomes the appointment', async () => {
  const start = await firstSlot()
  const held = await send('POST', '/v1/holds', ana, { doctorId: doctor.id, start })
  expect(held.status).toBe(201)
  expect((await slotsOf(system, doctor.id)).some((slot) => slot.start === start)).toBe(false)
  expect((await book(rui, start)).body.code).toBe('slot_taken')
  expect(
    (await send('POST', '/v1/holds', ana, { doctorId: doctor.id, start: (await slotsOf(system, doctor.id))[0]?.start })).body.code
  ).toBe('hold_limit')
  const booked = await book(ana, start, { holdId: held.body.id })
  expect([booked.status, booked.body.status]).toEqual([201, 'requested'])
  expect(booked.headers.get('location')).toBe(`/v1/appointments/${booked.body.id}`)
  expect((await book(ana, start, { holdId: held.body.id })).body.code).toBe('hold_expired')
})

test('the same key answers the first result again, over both replicas', async () => {
  const headers = { 'idempotency-key': crypto.randomUUID() }
  const wish = { doctorId: doctor.id, start: await firstSlot() }
  const answers = []
  for (let nth = 0; nth < 4; nth++) answers.push(await send('POST', '/v1/appointments', rui, wish, headers))
  expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201])
  expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1)
  expect(answers.map((answer) => answer.headers.get('idempotency-replayed'))).toEqual([null, 'true', 'true', 'true'])
  expect((await send('POST', '/v1/appointments', rui, { ...wish, reason: 'outra' }, headers)).body.code).toBe('idempotency_key_reused')
})

test('an appointment moves in one step, only from the version that was seen, and its history tells', async () => {
  const { body } = await book(ana, await firstSlot())
  const to = await firstSlot()
  const stale = await send('POST', `/v1/appointments/${body.id}/reschedule`, ana, { start: to }, { 'if-match': '"7"' })
  expect([stale.status, stale.body.code]).toEqual([412, 'version_conflict'])
  const moved = await send('POST', `/v1/appointments/${body.id}/reschedule`, doctor, { start: to }, { 'if-match': `"${body.version}"` })
  expect([moved.status, moved.body.status, moved.body.start]).toEqual([200, 'confirmed', to])
  expect((await slotsOf(system, doctor.id)).some(({ start }) => start === body.start)).toBe(true)
  const history = await call<{ action: string; to: string }[]>(system, 'GET', `/v1/appointments/${body.id}/history`, { token: ana.token })
  expect(history.body.map(({ action }) => action)).toEqual(['book', 'reschedule'])
  expect((await send('GET', `/v1/appointments/${body.id}`, rui)).body.code).toBe('appointment_not_found')
})

test('when a slot in range frees, the first in line is mailed and holds it, then the next', async () => {
  const today = Temporal.Now.plainDateISO('America/Sao_Paulo')
  const busy = await newDoctor(system, { rules: [{ weekday: today.add({ days: 2 }).dayOfWeek, start: '09:00', end: '10:00' }] })
  // of their own, whose day holds nothing else: who has another appointment then is passed over
  const [holder, waiting] = [await newPatient(system), await newPatient(system)]
  const [only] = await slotsOf(system, busy.id)
  const taken = await send('POST', '/v1/appointments', holder, { doctorId: busy.id, start: only?.start })
  const line = await send('POST', '/v1/waitlist', waiting, {
    doctorId: busy.id,
    from: today.toString(),
    to: today.add({ days: 7 }).toString()
  })
  expect(line.status).toBe(201)
  await send('POST', `/v1/appointments/${taken.body.id}/cancel`, holder, { reason: 'não posso' })
  await system.mailbox.mailTo(waiting.email, /vaga|horário/i)
  expect((await send('POST', '/v1/appointments', holder, { doctorId: busy.id, start: only?.start })).body.code).toBe('slot_taken')
  expect((await send('POST', '/v1/appointments', waiting, { doctorId: busy.id, start: only?.start })).status).toBe(201)
})

test('one appointment as a file, all of them as a secret subscription that a new call voids', async () => {
  const { body } = await book(ana, await firstSlot())
  const file = await fetch(`${system.url}/v1/appointments/${body.id}/calendar.ics`, { headers: { authorization: `Bearer ${ana.token}` } })
  expect(file.headers.get('content-type')).toStartWith('text/calendar')
  expect(new ICAL.Component(ICAL.parse(await file.text())).getAllSubcomponents('vevent')).toHaveLength(1)
  const first = await send('POST', '/v1/calendar-feed', ana)
  expect(first.status).toBe(201)
  const feed = await fetch(first.body.url)
  const uids = new ICAL.Component(ICAL.parse(await feed.text()))
    .getAllSubcomponents('vevent')
    .map((event) => String(event.getFirstPropertyValue('uid')))
  expect(uids.some((uid) => uid.includes(body.id))).toBe(true)
  const second = await send('POST', '/v1/calendar-feed', ana)
  expect((await fetch(first.body.url)).status).toBe(404)
  expect((await fetch(second.body.url)).status).toBe(200)
})

/** Reads events of the caller's stream until one is about an appointment. */
async function nextAbout(id: string, headers: Record<string, string>, meanwhile: () => Promise<unknown> = async () => {}) {
  const response = await fetch(`${system.url}/v1/events`, { headers })
  expect(response.headers.get('content-type')).toStartWith('text/event-stream')
  await meanwhile()
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  for (let seen = ''; ; ) {
    const { value, done } = await reader.read()
    if (done) throw new Error('the stream ended')
    seen += Buffer.from(value).toString()
    const event = seen.split('\n\n').find((part) => part.includes(id) && part.includes('id: '))
    if (!event) continue
    await reader.cancel()
    return { lastId: /^id: ?(.+)$/m.exec(event)?.[1] ?? '', text: event }
  }
}

test('changes come live through the gateway from either replica, and what was missed comes again', async () => {
  const { body } = await book(rui, await firstSlot())
  const authorization = `Bearer ${rui.token}`
  const live = await nextAbout(body.id, { authorization }, () => send('POST', `/v1/appointments/${body.id}/confirm`, doctor))
  await send('POST', `/v1/appointments/${body.id}/cancel`, doctor, { reason: 'Congresso' })
  const missed = await nextAbout(body.id, { authorization, 'last-event-id': live.lastId })
  expect(missed.text).toContain('cancelled')
  expect((await fetch(`${system.url}/v1/events`)).status).toBe(401)
})

test('a doctor is found by words without accents, by price and soonest first; the earliest slots of a specialty too', async () => {
  const dear = await newDoctor(system, { name: 'Dr. Ângelo Araújo', profile: { price: { amount: 990_000, currency: 'BRL' } } })
  await slotsOf(system, dear.id)
  const search = async (query: string) => (await send('GET', `/v1/doctors?${query}`)).body.items
  expect((await search('q=angelo%20araujo')).map(({ id }) => id)).toEqual([dear.id])
  expect((await search('maxPrice=40000&limit=100')).map(({ id }) => id)).not.toContain(dear.id)
  const soonest = (await search('sort=next_slot&limit=100')).map(({ nextSlot }) => nextSlot).filter(Boolean)
  expect(soonest).toEqual([...soonest].sort())
  const [{ code } = { code: '' }] = (await call<{ items: { code: string }[] }>(system, 'GET', '/v1/specialties')).body.items
  const earliest = (await send('GET', `/v1/slots?specialty=${code}&limit=10`)).body.items
  expect(earliest.length).toBeGreaterThan(0)
})

test('slots that did not change are not sent again', async () => {
  const path = `/v1/doctors/${doctor.id}/slots`
  const first = await send('GET', path)
  const etag = first.headers.get('etag') as string
  expect((await send('GET', path, undefined, undefined, { 'if-none-match': etag })).status).toBe(304)
  await book(rui, await firstSlot())
  expect((await send('GET', path, undefined, undefined, { 'if-none-match': etag })).status).toBe(200)
})

test('hours that change tell which appointments they leave outside; a rejected doctor’s are cancelled', async () => {
  const leaver = await newDoctor(system)
  const [slot] = await slotsOf(system, leaver.id)
  const patient = await newPatient(system)
  const { body, status } = await send('POST', '/v1/appointments', patient, { doctorId: leaver.id, start: slot?.start })
  expect(status).toBe(201)
  const changed = await call<{ conflicts: string[] }>(system, 'PUT', '/v1/doctors/me/schedule', {
    token: leaver.token,
    body: { slotMinutes: 60, rules: [] }
  })
  expect(changed.body.conflicts).toEqual([body.id])
  const admin = (await call<{ accessToken: string }>(system, 'POST', '/v1/auth/login', { body: system.admin })).body.accessToken
  const rejected = await call(system, 'POST', `/v1/admin/doctors/${leaver.id}/reject`, { token: admin, body: { reason: 'CRM inativo' } })
  expect(rejected.status).toBe(200)
  await eventually(async () => (await send('GET', `/v1/appointments/${body.id}`, patient)).body.status === 'cancelled')
  expect((await send('GET', `/v1/doctors/${leaver.id}`)).body.code).toBe('doctor_not_found')
})
