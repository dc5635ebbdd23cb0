import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type Rig, someAppointment, someDoctor, someEvent, somePatient, startRig } from '../testing.ts'

let rig: Rig
beforeAll(async () => {
  rig = await startRig()
})
afterAll(() => rig.stop())

const registered = async (...people: ReturnType<typeof somePatient>[]) =>
  rig.publish(...people.map((person) => someEvent('healthmed.user.registered.v1', person)))

test('both parties get a mail for each change, in their own language', async () => {
  const [doctor, patient] = [someDoctor({ locale: 'en' }), somePatient()]
  await registered(doctor, patient)
  const booked = someAppointment(doctor, patient)
  const confirmed = someAppointment(doctor, patient, { id: booked.id, status: 'confirmed', version: 2 })
  await rig.publish(someEvent('healthmed.appointment.requested.v1', booked))
  await rig.mailsTo(patient.email, 1)
  await rig.publish(someEvent('healthmed.appointment.confirmed.v1', confirmed))
  expect((await rig.mailsTo(patient.email, 2)).map(({ parsed }) => parsed.subject)).toEqual([
    'Consulta solicitada: 7 de jan., 08:00',
    'Consulta confirmada: 7 de jan., 08:00'
  ])
  expect((await rig.mailsTo(doctor.email, 2)).map(({ parsed }) => parsed.subject)).toEqual([
    'Appointment requested: Jan 7, 8:00 AM',
    'Appointment confirmed: Jan 7, 8:00 AM'
  ])
})
