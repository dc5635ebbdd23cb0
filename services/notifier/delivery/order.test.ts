import { afterAll, beforeAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { rows } from '#platform/data/db'
import type { EventType } from '#platform/events/events'
import { eventually } from '#platform/testing/testing'
import { remind } from '../reminders/remind.ts'
import { type Rig, someAppointment, someDoctor, someEvent, somePatient, startRig } from '../testing/testing.ts'

/* Mails of one appointment to a recipient whose server refuses: each test stands at one instant, so nothing leaves by waiting. */
let rig: Rig
let now = Temporal.Instant.from('2027-01-01T12:00:00Z')
beforeAll(async () => {
  rig = await startRig({ clock: () => now, connections: 4 })
})
afterAll(() => rig.stop())

const parties = async () => {
  const [doctor, patient] = [someDoctor(), somePatient()]
  await rig.publish(...[doctor, patient].map((person) => someEvent('healthmed.user.registered.v1', person, now.toString())))
  return { doctor, patient }
}
const tell = (type: EventType, data: ReturnType<typeof someAppointment>) => rig.publish(someEvent(type, data, now.toString()))
const mailsOf = async ({ id }: { id: string }) => {
  const found = await rows<{ template: string; status: string; attempts: number }>(
    rig.sql,
    SQL`select template, status, attempts from mails where recipient_id = ${id} order by id`
  )
  return found.map(({ template, status, attempts }) => `${template} ${status} ${attempts}`)
}
const becomes = (person: { id: string }, wanted: string[]) =>
  eventually(async () => JSON.stringify(await mailsOf(person)) === JSON.stringify(wanted)).catch(async () =>
    expect(await mailsOf(person)).toEqual(wanted)
  )

test.each([1, 2, 3, 4, 5])('news behind a mail that was refused %i times leave at once, in its place', async (times) => {
  const { doctor, patient } = await parties()
  rig.sink.manners.set(patient.email, Array(times).fill(451))
  const booked = someAppointment(doctor, patient)
  await tell('healthmed.appointment.requested.v1', booked)
  for (let attempt = 1; attempt <= times; attempt++) {
    await becomes(patient, [`appointment_requested pending ${attempt}`])
    if (attempt < times) now = now.add({ hours: 6 })
  }
  await tell('healthmed.appointment.confirmed.v1', { ...booked, status: 'confirmed', version: 2 })
  await becomes(patient, [`appointment_requested superseded ${times + 1}`, 'appointment_confirmed sent 1'])
  await rig.mailsTo(doctor.email, 2)
  expect(rig.sink.to(patient.email)).toHaveLength(1)
})

test('news that came while the one before was being refused leave at once too', async () => {
  const { doctor, patient } = await parties()
  rig.sink.manners.set(patient.email, ['hang'])
  const booked = someAppointment(doctor, patient)
  await tell('healthmed.appointment.requested.v1', booked)
  await becomes(patient, ['appointment_requested sending 1'])
  await tell('healthmed.appointment.confirmed.v1', { ...booked, status: 'confirmed', version: 2 })
  await becomes(patient, ['appointment_requested sending 1', 'appointment_confirmed pending 0'])
  await becomes(patient, ['appointment_requested superseded 2', 'appointment_confirmed sent 1'])
})

test('news that are refused as well keep their place on the ladder', async () => {
  const { doctor, patient } = await parties()
  rig.sink.manners.set(patient.email, [451, 451])
  const booked = someAppointment(doctor, patient)
  await tell('healthmed.appointment.requested.v1', booked)
  await becomes(patient, ['appointment_requested pending 1'])
  await tell('healthmed.appointment.confirmed.v1', { ...booked, status: 'confirmed', version: 2 })
  await becomes(patient, ['appointment_requested superseded 2', 'appointment_confirmed pending 1'])
  now = now.add({ minutes: 1 })
  await becomes(
    patient,
    ['appointment_requested superseded 2', 'appointment_confirmed sent 1'].map((line) => line.replace('sent 1', 'sent 2'))
  )
})

test('a reminder does not wait for a mail that the server refused', async () => {
  const { doctor, patient } = await parties()
  rig.sink.manners.set(patient.email, Array(5).fill(451))
  const visit = someAppointment(doctor, patient, { status: 'confirmed', version: 2, start: now.add({ hours: 25 }).toString() })
  await tell('healthmed.appointment.confirmed.v1', visit)
  for (const attempt of [1, 2, 3, 4, 5]) {
    await becomes(patient, [`appointment_confirmed pending ${attempt}`])
    if (attempt < 5) now = now.add({ minutes: [1, 5, 30, 120][attempt - 1] ?? 0 })
  }
  await remind(rig.sql, now)
  await becomes(patient, ['appointment_confirmed pending 5', 'reminder_24h sent 1'])
})
