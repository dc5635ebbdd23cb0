import { afterAll, beforeAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { rows } from '#platform/data/db'
import { expected, outcome, type Rig, someDoctor, startRig } from '../testing/testing.ts'

let rig: Rig
beforeAll(async () => {
  rig = await startRig()
})
afterAll(() => rig?.stop())

const byEvent = 'healthmed.user.updated.v1'
const far = async (doctor: { id: string }) => (await rig.slotsOf(doctor)).at(-1) ?? ''

test('names follow the person in every answer, and an older snapshot that comes late changes nothing', async () => {
  const [doctor, patient] = [await rig.doctor(), await rig.patient()]
  const { id } = (await expected(201, rig.wish(patient, doctor, await far(doctor)))).body
  await rig.tell(byEvent, { ...doctor, name: 'Dra. Zélia', version: 3 })
  await rig.tell(byEvent, { ...doctor, name: 'Dra. Alte', version: 2 })
  await rig.tell(byEvent, { ...patient, name: 'Ana Lúcia', version: 2 })
  expect((await rig.call('GET', `/v1/appointments/${id}`, { as: patient })).body).toMatchObject({
    doctor: { name: 'Dra. Zélia' },
    patient: { name: 'Ana Lúcia' }
  } as object)
  expect((await rig.call('GET', '/v1/doctors?q=zelia')).body.items.map(({ id }) => id)).toEqual([doctor.id])
})

test('a doctor who published before the event came is listed once it has', async () => {
  const early = await rig.signIn(someDoctor())
  const profile = { specialties: ['urologia'], price: { amount: 1, currency: 'BRL' }, timezone: 'Europe/Lisbon' }
  await expected(200, rig.call('PUT', '/v1/doctors/me/profile', { as: early, body: profile }))
  await expected(
    200,
    rig.call('PUT', '/v1/doctors/me/schedule', {
      as: early,
      body: { slotMinutes: 30, rules: [{ weekday: 1, start: '08:00', end: '09:00' }] }
    })
  )
  expect(outcome(await rig.call('GET', `/v1/doctors/${early.id}`))).toBe('404 doctor_not_found')
  await rig.tell('healthmed.user.registered.v1', early)
  expect((await rig.call('GET', `/v1/doctors/${early.id}`)).body).toMatchObject({ id: early.id, timezone: 'Europe/Lisbon' } as object)
})

test('a doctor who is disabled or rejected vanishes, and what lies ahead is cancelled in the name of the system, with both told', async () => {
  for (const change of [{ disabled: true }, { approval: 'rejected' as const }]) {
    const [doctor, patient] = [await rig.doctor(), await rig.patient()]
    const slots = await rig.slotsOf(doctor)
    const [past, ahead] = [slots[0] ?? '', slots.at(-1) ?? '']
    const done = (await expected(201, rig.wish(patient, doctor, past))).body.id
    await expected(200, rig.act(doctor, done, 'confirm'))
    const { id } = (await expected(201, rig.wish(patient, doctor, ahead))).body
    rig.now = Temporal.Instant.from(past).add({ hours: 2 })
    await rig.tell(byEvent, { ...doctor, ...change, version: 2 })
    expect((await rig.call('GET', `/v1/appointments/${id}`, { as: patient })).body).toMatchObject({ status: 'cancelled', version: 2 })
    expect((await rig.call('GET', `/v1/appointments/${done}`, { as: patient })).body.status).toBe('confirmed')
    const told = await rows<{ data: object }>(
      rig.sql,
      SQL`select data from outbox where subject = ${id}::uuid and type = 'healthmed.appointment.cancelled.v1'`
    )
    expect(told.map(({ data }) => data)).toMatchObject([
      { actor: { id: null, role: 'system' }, doctorId: doctor.id, patientId: patient.id }
    ])
    expect(outcome(await rig.call('GET', `/v1/doctors/${doctor.id}`))).toBe('404 doctor_not_found')
    expect((await rig.call('GET', '/v1/doctors?limit=100')).body.items.map(({ id }) => id)).not.toContain(doctor.id)
  }
})

test('holds and offers of a doctor who vanishes can no more be booked, and one who comes back is listed again', async () => {
  const [doctor, patient] = [await rig.doctor(), await rig.patient()]
  const start = await far(doctor)
  const { id } = (await expected(201, rig.call('POST', '/v1/holds', { as: patient, body: { doctorId: doctor.id, start } }))).body
  await rig.tell(byEvent, { ...doctor, disabled: true, version: 2 })
  expect(outcome(await rig.wish(patient, doctor, start, { holdId: id }))).toBe('404 doctor_not_found')
  await rig.tell(byEvent, { ...doctor, version: 3 })
  expect(outcome(await rig.wish(patient, doctor, start, { holdId: id }))).toBe('201')
})

test('the export has all that is kept of a person, for that person alone', async () => {
  const [doctor, patient] = [await rig.doctor(), await rig.patient()]
  const { id } = (await expected(201, rig.wish(patient, doctor, await far(doctor), { reason: 'Dor' }))).body
  await expected(
    201,
    rig.call('POST', '/v1/waitlist', { as: patient, body: { doctorId: doctor.id, from: '2027-02-01', to: '2027-02-02' } })
  )
  const exported = await rig.call<Record<string, unknown>>('GET', `/internal/people/${patient.id}/export`, { as: patient })
  expect(exported.body).toMatchObject({
    appointments: [{ id, reason: 'Dor', doctor: { id: doctor.id } }],
    doctor: null,
    waitlist: [{ doctorId: doctor.id, from: '2027-02-01', to: '2027-02-02', status: 'waiting' }]
  })
  const own = await rig.call<Record<string, unknown>>('GET', `/internal/people/${doctor.id}/export`, { as: doctor })
  expect(own.body).toMatchObject({ doctor: { crm: doctor.crm, specialties: ['cardiologia'], slotMinutes: 60 } })
  expect(outcome(await rig.call('GET', `/internal/people/${patient.id}/export`, { as: doctor }))).toBe('404 not_found')
})

test('an erased patient leaves no name and no reason anywhere, what lay ahead is cancelled, and the record of bookings stays', async () => {
  const doctor = await rig.doctor()
  const patient = await rig.patient({ name: 'Xandre Único' })
  const slots = await rig.slotsOf(doctor)
  const past = (await expected(201, rig.wish(patient, doctor, slots[0] ?? '', { reason: 'Segredo um' }))).body.id
  const ahead = (
    await expected(201, rig.wish(patient, doctor, slots.at(-1) ?? '', { reason: 'Segredo dois', headers: { 'idempotency-key': 'k' } }))
  ).body.id
  const moved = (await expected(201, rig.wish(patient, doctor, slots.at(-2) ?? ''))).body.id
  await expected(200, rig.act(patient, moved, 'cancel', { reason: 'Segredo três' }))
  await expected(201, rig.call('POST', '/v1/holds', { as: patient, body: { doctorId: doctor.id, start: slots.at(-3) } }))
  await expected(
    201,
    rig.call('POST', '/v1/waitlist', { as: patient, body: { doctorId: doctor.id, from: '2027-02-01', to: '2027-02-02' } })
  )
  rig.now = Temporal.Instant.from(slots[0] ?? '').add({ hours: 1 })
  await rig.tell('healthmed.user.erased.v1', { id: patient.id, role: 'patient', version: 9 })
  await rig.tell(byEvent, { ...patient, version: 10 })
  const everything = await rows<{ dump: string }>(
    rig.sql,
    SQL`select (select jsonb_agg(p)::text from people p) || (select jsonb_agg(a)::text from appointments a) || (select jsonb_agg(h)::text from history h)
            || coalesce((select jsonb_agg(w)::text from waitlist w), '') || coalesce((select jsonb_agg(i)::text from idempotency_keys i), '')
            || (select jsonb_agg(o)::text from outbox o) as dump`
  )
  expect(everything[0]?.dump.match(/Xandre[^"]*|Segredo[^"]*/g) ?? []).toEqual([])
  const read = (id: string) => rig.call('GET', `/v1/appointments/${id}`, { as: doctor })
  expect((await read(ahead)).body.status).toBe('cancelled')
  expect((await read(past)).status).toBe(200)
  expect(await rig.slotsOf(doctor)).toContain(slots.at(-3) ?? '')
})

test('an erased doctor vanishes with name, CRM and biography, and patients keep the record of their visits', async () => {
  const doctor = await rig.doctor({ user: { name: 'Dr. Quirino', crm: '987654-RJ' }, profile: { bio: 'Nascido em Quixadá' } })
  const patient = await rig.patient()
  const { id } = (await expected(201, rig.wish(patient, doctor, await far(doctor)))).body
  await expected(200, rig.act(doctor, id, 'decline', { reason: 'Doente' }))
  await rig.tell('healthmed.user.erased.v1', { id: doctor.id, role: 'doctor', version: 2 })
  const [{ dump } = { dump: '' }] = await rows<{ dump: string }>(
    rig.sql,
    SQL`select (select jsonb_agg(d)::text from doctors d) || (select jsonb_agg(p)::text from people p) as dump`
  )
  expect(dump.match(/Quirino|987654|Quixadá/g) ?? []).toEqual([])
  expect((await rig.call('GET', `/v1/appointments/${id}`, { as: patient })).status).toBe(200)
})

test('a rejected doctor reads and hears nothing of patients any more, also with a new login, and the export names none', async () => {
  const [doctor, patient] = [await rig.doctor(), await rig.patient({ name: 'Zuleica Prado' })]
  const { id } = (await expected(201, rig.wish(patient, doctor, await far(doctor), { reason: 'Dor no joelho' }))).body
  await expected(200, rig.act(doctor, id, 'decline', { reason: 'Congresso' }))
  await rig.tell(byEvent, { ...doctor, approval: 'rejected', version: 2 })
  const as = await rig.signIn({ ...doctor, approval: 'rejected' })
  for (const path of [
    '/v1/appointments',
    `/v1/appointments/${id}`,
    `/v1/appointments/${id}/history`,
    `/v1/appointments/${id}/calendar.ics`,
    '/v1/events',
    '/v1/doctors/me/profile',
    '/v1/doctors/me/schedule',
    '/v1/doctors/me/exceptions'
  ])
    expect([path, outcome(await rig.call('GET', path, { as }))]).toEqual([path, '403 forbidden'])
  expect(outcome(await rig.call('POST', '/v1/calendar-feed', { as }))).toBe('403 forbidden')
  const exported = await rig.call<{ appointments: object[] }>('GET', `/internal/people/${doctor.id}/export`, { as })
  expect(exported.body.appointments).toMatchObject([{ id, status: 'declined' }])
  expect(exported.text).not.toMatch(/Zuleica|Dor no joelho/)
})
