import { afterAll, beforeAll, expect, test } from 'bun:test'
import { expected, type Rig, startRig } from './testing/testing.ts'

let rig: Rig
beforeAll(async () => {
  rig = await startRig()
})
afterAll(() => rig?.stop())

test('a doctor publishes profile and hours, a patient books a slot, the doctor confirms, the patient cancels', async () => {
  const doctor = await rig.doctor()
  const patient = await rig.patient()
  const [first = '', second = ''] = await rig.slotsOf(doctor)
  expect([first, second]).toEqual(['2027-01-04T13:00:00Z', '2027-01-04T14:00:00Z'])

  const booked = await expected(201, rig.wish(patient, doctor, first, { reason: 'Dor de cabeça' }))
  expect(booked.headers.get('location')).toBe(`/v1/appointments/${booked.body.id}`)
  expect(booked.body as unknown).toEqual({
    id: booked.body.id,
    doctor: { id: doctor.id, name: doctor.name, crm: '123456-SP' },
    patient: { id: patient.id, name: patient.name },
    start: first,
    end: second,
    timezone: 'America/Sao_Paulo',
    price: { amount: 35000, currency: 'BRL' },
    status: 'requested',
    reason: 'Dor de cabeça',
    version: 1,
    createdAt: '2027-01-04T12:00:00Z',
    updatedAt: '2027-01-04T12:00:00Z'
  })
  expect(await rig.slotsOf(doctor)).not.toContain(first)

  expect((await expected(200, rig.act(doctor, booked.body.id, 'confirm'))).body).toMatchObject({ status: 'confirmed', version: 2 })
  const cancelled = await expected(200, rig.act(patient, booked.body.id, 'cancel', { reason: 'Vou viajar' }))
  expect(cancelled.body).toMatchObject({ status: 'cancelled', statusReason: 'Vou viajar', version: 3 } as object)
  expect(await rig.slotsOf(doctor)).toContain(first)
})

test('what a doctor published is read back, with the standards filled in', async () => {
  const doctor = await rig.doctor()
  expect((await rig.call('GET', '/v1/doctors/me/profile', { as: doctor })).body as unknown).toEqual({
    specialties: ['cardiologia'],
    price: { amount: 35000, currency: 'BRL' },
    timezone: 'America/Sao_Paulo',
    minNoticeMinutes: 60,
    bookingWindowDays: 90,
    bufferMinutes: 0,
    cancellationNoticeMinutes: 0,
    answerWithinMinutes: 1440,
    autoConfirm: false
  })
  const schedule = await rig.call<{ slotMinutes: number; rules: object[] }>('GET', '/v1/doctors/me/schedule', { as: doctor })
  expect(schedule.body.slotMinutes).toBe(60)
  expect(schedule.body.rules).toHaveLength(7)
  expect(schedule.body.rules[0]).toEqual({ weekday: 1, start: '08:00', end: '17:00' })
})
