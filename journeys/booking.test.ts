import { afterAll, beforeAll, expect, test } from 'bun:test'
import ICAL from 'ical.js'
import { eventually } from '#platform/testing/testing'
import { asAdmin, call, firstSpecialty, logIn, newDoctor, newPatient, PASSWORD, type Person, slotsOf } from './client.ts'
import type { Mail } from './mailbox.ts'
import { type System, startSystem } from './system.ts'

let system: System
let doctor: Person
let patient: Person
type Booked = { id: string; status: string; version: number; start: string; statusReason?: string }

beforeAll(async () => {
  system = await startSystem()
  doctor = await newDoctor(system, { name: 'Dra. Íris Conceição' })
  patient = await newPatient(system, { name: 'João Ávila' })
}, 120_000)
afterAll(() => system?.stop(), 30_000)

let taken = 0
const book = async (who = patient, whom = doctor) => {
  const slots = await slotsOf(system, whom.id)
  const answer = await call<Booked>(system, 'POST', '/v1/appointments', {
    token: who.token,
    body: { doctorId: whom.id, start: slots[taken++]?.start }
  })
  expect(answer.status).toBe(201)
  return answer.body
}
const act = (who: Person, id: string, verb: string, body?: unknown) =>
  call<Booked>(system, 'POST', `/v1/appointments/${id}/${verb}`, { token: who.token, body })

test('a person logs in by e-mail, CPF or CRM', async () => {
  for (const identifier of [
    patient.email,
    patient.email.toUpperCase(),
    patient.cpf,
    patient.cpf.replace(/(\d{3})(\d{3})(\d{3})/, '$1.$2.$3-')
  ]) {
    expect((await logIn(system, identifier)).user.id).toBe(patient.id)
  }
  expect((await logIn(system, doctor.crm ?? '')).user.id).toBe(doctor.id)
})

test('an approved doctor with hours is found by specialty with a next slot', async () => {
  const path = `/v1/doctors?specialty=${await firstSpecialty(system)}`
  const found = await eventually(async () => {
    const { body } = await call<{ items: { id: string; nextSlot: string | null; name: string; price: unknown }[] }>(system, 'GET', path)
    return body.items.find(({ id }) => id === doctor.id)
  })
  expect(found).toMatchObject({ name: 'Dra. Íris Conceição', price: { amount: 35000, currency: 'BRL' } })
  expect(found.nextSlot).toBe((await slotsOf(system, doctor.id))[0]?.start ?? '')
})

test('a doctor who awaits approval is neither listed nor bookable', async () => {
  const body = { name: 'Novo', email: 'novo@example.com', cpf: '529.982.247-25', password: PASSWORD, crm: 'CRM/RJ 000777' }
  const made = await call<{ id: string; approval: string; crm: string }>(system, 'POST', '/v1/auth/doctors', { body })
  expect(made.body).toMatchObject({ approval: 'pending', crm: '777-RJ' })
  expect((await call(system, 'GET', `/v1/doctors/${made.body.id}/slots`)).status).toBe(404)
  const { body: list } = await call<{ items: { id: string }[] }>(system, 'GET', '/v1/admin/users?approval=pending', {
    token: await asAdmin(system)
  })
  expect(list.items.map(({ id }) => id)).toContain(made.body.id)
})

test('booked, confirmed and cancelled: both parties get each mail, in their own words, with one calendar entry that follows', async () => {
  const seen = system.mailbox.mails.length
  const { id, status, start } = await book()
  expect(status).toBe('requested')
  // each change is waited for: a mail that a later change made untrue would not be sent
  const mailed = (person: Person, wanted: (mail: Mail) => boolean) =>
    eventually(() => system.mailbox.mails.slice(seen).find((mail) => mail.to === person.email && wanted(mail)))
  const bears = (method: string) => (mail: Mail) => mail.raw.includes(`method=${method}`)
  for (const person of [patient, doctor]) await mailed(person, (mail) => !/token=/.test(mail.text))
  expect((await act(doctor, id, 'confirm')).body.status).toBe('confirmed')
  const confirmed = await Promise.all([patient, doctor].map((person) => mailed(person, bears('REQUEST'))))
  expect((await act(patient, id, 'cancel', { reason: 'Vou viajar' })).body).toMatchObject({
    status: 'cancelled',
    statusReason: 'Vou viajar'
  })
  const cancelled = await Promise.all([patient, doctor].map((person) => mailed(person, bears('CANCEL'))))

  for (const [index, mail] of confirmed.entries()) {
    for (const { html, text } of [mail, cancelled[index] as Mail]) {
      expect(html).toContain('<html')
      expect(text.length).toBeGreaterThan(50)
    }
    const [request, cancel] = [calendarOf(mail.raw), calendarOf(cancelled[index]?.raw ?? '')]
    expect([request.method, cancel.method]).toEqual(['REQUEST', 'CANCEL'])
    expect(request.uid).toBe(cancel.uid)
    expect(Number(cancel.sequence)).toBeGreaterThan(Number(request.sequence))
    expect(request.start).toBe(start)
  }
})

function calendarOf(raw: string) {
  const part = raw.split(/\r?\n--[^\r\n]+/).find((piece) => /content-type: text\/calendar/i.test(piece)) ?? ''
  const [head = '', ...rest] = part.split(/\r?\n\r?\n/)
  const text = /base64/i.test(head) ? Buffer.from(rest.join('\n\n'), 'base64').toString() : unquote(rest.join('\n\n'))
  const calendar = new ICAL.Component(ICAL.parse(text))
  const event = calendar.getFirstSubcomponent('vevent')
  const start = event?.getFirstPropertyValue('dtstart') as ICAL.Time
  return {
    method: calendar.getFirstPropertyValue('method'),
    uid: String(event?.getFirstPropertyValue('uid')),
    sequence: event?.getFirstPropertyValue('sequence'),
    start: start.toJSDate().toISOString().replace('.000', '')
  }
}

const unquote = (text: string) =>
  Buffer.from(
    text.replace(/=\r?\n/g, '').replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1'
  ).toString()

test('a declined appointment frees its slot', async () => {
  const { id, start } = await book()
  expect((await slotsOf(system, doctor.id)).some((slot) => slot.start === start)).toBe(false)
  expect((await act(doctor, id, 'decline', { reason: 'Congresso' })).body.status).toBe('declined')
  expect((await slotsOf(system, doctor.id)).some((slot) => slot.start === start)).toBe(true)
})

test('each refusal has the code of the contract', async () => {
  const { id, start } = await book()
  const other = await newPatient(system)
  const far = await newDoctor(system)
  const wish = (token: string, doctorId: string, at: string) =>
    call<{ code: string }>(system, 'POST', '/v1/appointments', { token, body: { doctorId, start: at } })
  const codes = async (...answers: Promise<{ status: number; body: unknown }>[]) =>
    (await Promise.all(answers)).map(({ status, body }) => `${status} ${(body as { code?: string }).code}`)
  await slotsOf(system, far.id)
  expect(
    await codes(
      wish(other.token, doctor.id, start),
      wish(patient.token, far.id, start),
      wish(other.token, doctor.id, start.replace(':00:00Z', ':01:00Z')),
      wish(doctor.token, doctor.id, start),
      wish(other.token, crypto.randomUUID(), start),
      call(system, 'GET', `/v1/appointments/${id}`, { token: other.token }),
      act(other, id, 'cancel', { reason: 'x' }),
      act(far, id, 'confirm'),
      act(patient, id, 'confirm'),
      act(doctor, id, 'complete'),
      act(doctor, id, 'cancel', {}),
      act(doctor, id, 'cancel', { reason: 'x', refund: true })
    )
  ).toEqual([
    '409 slot_taken',
    '409 patient_conflict',
    '422 slot_unavailable',
    '403 forbidden',
    '404 doctor_not_found',
    '404 appointment_not_found',
    '404 appointment_not_found',
    '404 appointment_not_found',
    '403 forbidden',
    '409 invalid_transition',
    '422 validation_failed',
    '422 validation_failed'
  ])
})

test('of a hundred who ask for one slot at once exactly one gets it, the others learn that it is taken, and nobody waits a second, or longer than the machine makes everybody wait', async () => {
  const crowd = await Promise.all(Array.from({ length: 10 }, () => newPatient(system)))
  const start = (await slotsOf(system, doctor.id)).at(-1)?.start
  const atOnce = (ask: (index: number) => Promise<{ status: number; body: { code: string } }>) =>
    Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const asked = performance.now()
        const { status, body } = await ask(index)
        return { status, code: body.code, ms: performance.now() - asked }
      })
    )
  const longest = (answers: { ms: number }[]) => Math.max(...answers.map(({ ms }) => ms))
  // a machine that is busy with something else makes a hundred wait for anything
  const look = async () => longest(await atOnce(() => call(system, 'GET', `/v1/doctors/${doctor.id}`)))
  const before = await look()
  const answers = await atOnce((index) =>
    call(system, 'POST', '/v1/appointments', { token: crowd[index % crowd.length]?.token, body: { doctorId: doctor.id, start } })
  )
  const usual = Math.max(before, await look())
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
  expect(answers.filter(({ status, code }) => status === 409 && code === 'slot_taken')).toHaveLength(99)
  expect(longest(answers)).toBeLessThan(Math.max(1_000, 2 * usual))
}, 120_000)

test('a session that was logged out is refused at the gateway within two seconds, and a used refresh token ends its family', async () => {
  const { accessToken, refreshToken } = await logIn(system, patient.email)
  const next = await call<{ refreshToken: string }>(system, 'POST', '/v1/auth/refresh', { body: { refreshToken } })
  expect(next.status).toBe(200)
  expect((await call(system, 'GET', '/v1/auth/me', { token: accessToken })).status).toBe(200)
  expect((await call(system, 'POST', '/v1/auth/logout', { token: accessToken })).status).toBe(204)
  const refused = await eventually(async () => {
    const answer = await call<{ code: string }>(system, 'GET', '/v1/appointments', { token: accessToken })
    return answer.status === 401 && answer
  }, 2_500)
  expect(refused.body.code).toBe('token_revoked')
  expect(refused.headers.get('www-authenticate')).toStartWith('Bearer')
  expect((await call(system, 'POST', '/v1/auth/refresh', { body: { refreshToken: next.body.refreshToken } })).status).toBe(401)
})
