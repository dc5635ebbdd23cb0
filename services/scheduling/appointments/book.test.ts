import { afterAll, beforeAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { rows } from '#platform/data/db'
import type { UserSnapshot } from '#platform/events/events'
import { expected, outcome, type Rig, someDoctor, somePatient, startRig } from '../testing/testing.ts'

let rig: Rig
let doctor: UserSnapshot
beforeAll(async () => {
  rig = await startRig({ limits: { perSpecialty: 2, inAll: 3 } })
  doctor = await rig.doctor()
})
afterAll(() => rig?.stop())

const free = async (whom = doctor, index = 0) => (await rig.slotsOf(whom))[index] ?? ''

test('a doctor who confirms by themselves gives a confirmed appointment at once', async () => {
  const quick = await rig.doctor({ profile: { autoConfirm: true } })
  const booked = await expected(201, rig.wish(await rig.patient(), quick, await free(quick)))
  expect(booked.body).toMatchObject({ status: 'confirmed', version: 1 })
  expect(booked.headers.get('etag')).toBe('"1"')
})

test('what is no slot of the doctor cannot be booked: off the step, outside of the hours, too soon, too far, past', async () => {
  const patient = await rig.patient()
  const starts = [
    '2027-01-05T13:01:00Z',
    '2027-01-05T13:00:00.001Z',
    '2027-01-05T10:00:00Z',
    '2027-01-05T20:00:00Z',
    '2027-01-04T12:00:00Z',
    '2027-01-04T12:59:00Z',
    '2027-05-04T13:00:00Z',
    '2026-01-05T13:00:00Z'
  ]
  for (const start of starts) expect([start, outcome(await rig.wish(patient, doctor, start))]).toEqual([start, '422 slot_unavailable'])
  for (const start of ['2027-02-30T13:00:00Z', '2027-01-05T13:00:00+0000', '2027-01-05', 1])
    expect(outcome(await rig.wish(patient, doctor, start as string))).toBe('422 validation_failed')
})

test('a slot that somebody has is taken, and a patient is at one place at a time', async () => {
  const [patient, other, colleague] = [await rig.patient(), await rig.patient(), await rig.doctor({ slotMinutes: 45 })]
  await expected(201, rig.wish(patient, doctor, '2027-01-06T13:00:00Z'))
  expect(outcome(await rig.wish(other, doctor, '2027-01-06T13:00:00Z'))).toBe('409 slot_taken')
  expect(outcome(await rig.wish(patient, doctor, '2027-01-06T13:00:00Z'))).toBe('409 slot_taken')
  expect(outcome(await rig.wish(patient, colleague, '2027-01-06T13:15:00Z'))).toBe('409 patient_conflict')
  expect(outcome(await rig.wish(patient, colleague, '2027-01-06T14:00:00Z'))).toBe('201')
})

test('only doctors who are listed can be booked: not one who is unknown, waiting, rejected, disabled or without hours', async () => {
  const patient = await rig.patient()
  const doctors = await Promise.all([rig.doctor({ user: { approval: 'pending' } }), rig.doctor(), rig.doctor()])
  await rig.tell('healthmed.user.updated.v1', { ...(doctors[1] as UserSnapshot), approval: 'rejected', version: 2 })
  await rig.tell('healthmed.user.updated.v1', { ...(doctors[2] as UserSnapshot), disabled: true, version: 2 })
  const bare = someDoctor()
  await rig.tell('healthmed.user.registered.v1', bare)
  for (const whom of [...doctors, bare, someDoctor()]) {
    expect(outcome(await rig.wish(patient, whom, '2027-01-05T13:00:00Z'))).toBe('404 doctor_not_found')
    expect(outcome(await rig.call('GET', `/v1/doctors/${whom.id}/slots`))).toBe('404 doctor_not_found')
    expect(outcome(await rig.call('GET', `/v1/doctors/${whom.id}`))).toBe('404 doctor_not_found')
  }
})

test('an address must be verified; a token from before the verification will do once the event has come', async () => {
  const unverified = await rig.patient({ emailVerified: false })
  expect(outcome(await rig.wish(unverified, doctor, await free()))).toBe('403 email_not_verified')
  await rig.tell('healthmed.user.updated.v1', { ...unverified, emailVerified: true, version: 2 })
  expect(outcome(await rig.wish(unverified, doctor, await free()))).toBe('201')
})

test('a booking made before the patient is known here works, and bears the name that the token says until the event comes', async () => {
  const early = await rig.signIn(somePatient({ name: 'Zoé' }))
  const booked = await expected(201, rig.wish(early, doctor, await free()))
  expect((booked.body as unknown as { patient: { name: string } }).patient.name).toBe('Zoé')
  await rig.tell('healthmed.user.registered.v1', { ...early, name: 'Zoé Brandão' })
  const read = await rig.call<{ patient: { name: string } }>('GET', `/v1/appointments/${booked.body.id}`, { as: early })
  expect(read.body.patient.name).toBe('Zoé Brandão')
})

test('only patients book, and nobody without a token', async () => {
  expect(outcome(await rig.wish(doctor, doctor, await free()))).toBe('403 forbidden')
  const nobody = await rig.call('POST', '/v1/appointments', { body: { doctorId: doctor.id, start: await free() } })
  expect(outcome(nobody)).toBe('401 unauthenticated')
  expect(nobody.headers.get('www-authenticate')).toStartWith('Bearer')
})

test('unknown fields and bad ones are refused with their paths', async () => {
  const as = await rig.patient()
  const start = await free()
  const refused = (body: object) => rig.call('POST', '/v1/appointments', { as, body })
  expect(outcome(await refused({ doctorId: doctor.id, start, price: 1 }))).toBe('422 validation_failed')
  const { body } = await refused({ doctorId: 'x', start: 'tomorrow' })
  expect(body.errors.map(({ path }) => path).sort()).toEqual(['/doctorId', '/start'])
})

test('a patient has at most so many open appointments of one specialty and in all, and each that ends makes room', async () => {
  const patient = await rig.patient()
  const skin = await rig.doctor({ profile: { specialties: ['dermatologia'] } })
  const day = '2027-01-11T'
  const first = await expected(201, rig.wish(patient, doctor, `${day}13:00:00Z`))
  await expected(201, rig.wish(patient, await rig.doctor(), `${day}14:00:00Z`))
  expect(outcome(await rig.wish(patient, doctor, `${day}15:00:00Z`))).toBe('409 booking_limit')
  const third = await expected(201, rig.wish(patient, skin, `${day}16:00:00Z`))
  expect(outcome(await rig.wish(patient, skin, `${day}17:00:00Z`))).toBe('409 booking_limit')
  await expected(200, rig.act(patient, third.body.id, 'cancel', { reason: 'x' }))
  await expected(200, rig.act(patient, first.body.id, 'cancel', { reason: 'x' }))
  expect(outcome(await rig.wish(patient, doctor, `${day}15:00:00Z`))).toBe('201')
  const parallel = await rig.patient()
  const answers = await Promise.all([13, 14, 15, 16, 17, 18].map((hour) => rig.wish(parallel, doctor, `2027-01-12T${hour}:00:00Z`)))
  expect(answers.map(outcome).sort()).toEqual(['201', '201', ...Array.from({ length: 4 }, () => '409 booking_limit')])
})

test('one event tells of a booking, with ids and without the reason for the visit', async () => {
  const patient = await rig.patient()
  const { body } = await expected(201, rig.wish(patient, doctor, await free(), { reason: 'Segredo' }))
  const events = await rows<{ type: string; data: object }>(rig.sql, SQL`select type, data from outbox where subject = ${body.id}::uuid`)
  expect(events).toHaveLength(1)
  expect(events[0]).toMatchObject({
    type: 'healthmed.appointment.requested.v1',
    data: {
      id: body.id,
      doctorId: doctor.id,
      patientId: patient.id,
      start: body.start,
      actor: { id: patient.id, role: 'patient' },
      version: 1
    }
  })
  expect(JSON.stringify(events)).not.toContain('Segredo')
})

test('every slot that is offered on the days of a clock change can be booked, and none besides', async () => {
  const night = await rig.doctor({
    profile: { timezone: 'America/New_York', bookingWindowDays: 120 },
    slotMinutes: 30,
    rules: [{ weekday: 7, start: '00:00', end: '05:00' }]
  })
  const offered = await rig.slotsOf(night, '?from=2027-03-14&to=2027-03-14')
  expect(offered).toHaveLength(8)
  for (let at = Date.parse('2027-03-14T04:00:00Z'); at < Date.parse('2027-03-14T10:00:00Z'); at += 900_000) {
    const start = new Date(at).toISOString().replace('.000', '')
    expect([start, outcome(await rig.wish(await rig.patient(), night, start))]).toEqual([
      start,
      offered.includes(start) ? '201' : '422 slot_unavailable'
    ])
  }
})
