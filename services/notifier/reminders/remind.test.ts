import { afterAll, beforeAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { rows, run } from '#platform/data/db'
import type { AppointmentSnapshot, EventType, UserSnapshot } from '#platform/events/events'
import { eventually } from '#platform/testing/testing'
import { type Rig, someAppointment, someDoctor, someEvent, somePatient, startRig } from '../testing/testing.ts'
import { remind } from './remind.ts'

let rig: Rig
const booking = '2027-01-01T12:00:00Z'
let now = Temporal.Instant.from(booking)
beforeAll(async () => {
  rig = await startRig({ clock: () => now })
})
afterAll(() => rig.stop())

const tell = async (type: EventType, data: AppointmentSnapshot, at: string) => {
  now = Temporal.Instant.from(at)
  await rig.publish(someEvent(type, data, at))
  await eventually(
    async () => (await rows(rig.sql, SQL`select 1 from appointments where id = ${data.id} and version >= ${data.version}`)).length === 1
  )
}
/** A confirmed appointment on 7 January at 11:00 UTC and its parties. */
async function confirmed(at = booking, more: Partial<AppointmentSnapshot> = {}) {
  const [doctor, patient] = [someDoctor(), somePatient()]
  await rig.publish(...[doctor, patient].map((person) => someEvent('healthmed.user.registered.v1', person)))
  const visit = someAppointment(doctor, patient, { status: 'confirmed', version: 2, ...more })
  await tell('healthmed.appointment.confirmed.v1', visit, at)
  return { doctor, patient, visit }
}
const at = async (instant: string) => {
  now = Temporal.Instant.from(instant)
  await remind(rig.sql, now)
}
const remindersTo = async ({ id }: UserSnapshot) => {
  const found = await rows<{ template: string; status: string }>(
    rig.sql,
    SQL`select template, status from mails where recipient_id = ${id} and template like 'reminder%' order by id`
  )
  return found.map(({ template }) => template)
}
const remindersSent = ({ email }: UserSnapshot) => rig.sink.to(email).filter(({ parsed }) => parsed.subject?.startsWith('Lembrete')).length

test('both parties are reminded 24 hours and 1 hour before', async () => {
  const { doctor, patient } = await confirmed()
  await at('2027-01-06T10:59:59Z')
  expect(await remindersTo(patient)).toEqual([])
  await at('2027-01-06T11:00:00Z')
  await eventually(() => remindersSent(patient) === 1 && remindersSent(doctor) === 1)
  await at('2027-01-07T09:59:59Z')
  expect(await remindersTo(patient)).toEqual(['reminder_24h'])
  await at('2027-01-07T10:00:00Z')
  await eventually(() => remindersSent(patient) === 2 && remindersSent(doctor) === 2)
  expect(await remindersTo(doctor)).toEqual(['reminder_24h', 'reminder_1h'])
})

test('24 hours are elapsed time, also over a change of the clocks', async () => {
  const { patient } = await confirmed('2027-03-01T12:00:00Z', {
    start: '2027-03-14T15:00:00Z',
    end: '2027-03-14T16:00:00Z',
    timezone: 'America/New_York'
  })
  await at('2027-03-13T14:59:59Z')
  expect(await remindersTo(patient)).toEqual([])
  await at('2027-03-13T15:00:00Z')
  expect(await remindersTo(patient)).toEqual(['reminder_24h'])
})

test('what was due before the appointment was confirmed is not sent', async () => {
  const { patient } = await confirmed('2027-01-06T20:00:00Z')
  await at('2027-01-06T20:00:01Z')
  expect(await remindersTo(patient)).toEqual([])
  await at('2027-01-07T10:00:00Z')
  expect(await remindersTo(patient)).toEqual(['reminder_1h'])
})

test('reminders follow a move, and the old ones are gone', async () => {
  const { visit, patient } = await confirmed()
  const moved = { ...visit, start: '2027-01-09T11:00:00Z', end: '2027-01-09T12:00:00Z', previousStart: visit.start, version: 3 }
  await tell('healthmed.appointment.rescheduled.v1', moved, '2027-01-05T12:00:00Z')
  await at('2027-01-07T10:30:00Z')
  expect(await remindersTo(patient)).toEqual([])
  await at('2027-01-08T11:00:00Z')
  await at('2027-01-09T10:00:00Z')
  expect(await remindersTo(patient)).toEqual(['reminder_24h', 'reminder_1h'])
})

test.each(['healthmed.appointment.cancelled.v1', 'healthmed.appointment.completed.v1'] as const)('%s ends the reminders', async (type) => {
  const { visit, patient } = await confirmed()
  await tell(type, { ...visit, status: type.split('.')[2] ?? '', version: 3 }, '2027-01-05T12:00:00Z')
  await at('2027-01-07T10:30:00Z')
  expect(await remindersTo(patient)).toEqual([])
})

test('a move that awaits confirmation ends them until it is confirmed', async () => {
  const { visit, patient } = await confirmed()
  const moved = { ...visit, start: '2027-01-09T11:00:00Z', status: 'requested', version: 3 }
  await tell('healthmed.appointment.rescheduled.v1', moved, '2027-01-05T12:00:00Z')
  await at('2027-01-08T11:00:00Z')
  expect(await remindersTo(patient)).toEqual([])
  await tell('healthmed.appointment.confirmed.v1', { ...moved, status: 'confirmed', version: 4 }, '2027-01-08T12:00:00Z')
  await at('2027-01-09T10:00:00Z')
  expect(await remindersTo(patient)).toEqual(['reminder_1h'])
})

test('of two processes that find the same reminder due, one sends it', async () => {
  const { patient, doctor } = await confirmed()
  now = Temporal.Instant.from('2027-01-06T11:00:00Z')
  await Promise.all([1, 2, 3, 4].map(() => remind(rig.sql, now)))
  expect(await remindersTo(patient)).toEqual(['reminder_24h'])
  expect(await remindersTo(doctor)).toEqual(['reminder_24h'])
})

test('one that is late is sent while the visit has not begun, and dropped afterwards', async () => {
  const [late, tooLate] = [await confirmed(), await confirmed(booking, { start: '2027-01-05T11:00:00Z', end: '2027-01-05T12:00:00Z' })]
  await at('2027-01-06T18:00:00Z')
  expect(await remindersTo(late.patient)).toEqual(['reminder_24h'])
  expect(await remindersTo(tooLate.patient)).toEqual([])
  expect(await rows(rig.sql, SQL`select 1 from reminders where appointment_id = ${tooLate.visit.id}`)).toHaveLength(0)
})

test('a reminder that waits for its server when the appointment is cancelled never leaves', async () => {
  const { visit, patient, doctor } = await confirmed()
  await rig.mailsTo(patient.email, 1)
  await rig.mailsTo(doctor.email, 1)
  rig.sink.manners.set(patient.email, [451])
  await at('2027-01-06T11:00:00Z')
  await eventually(
    async () =>
      (await rows(rig.sql, SQL`select 1 from mails where recipient_id = ${patient.id} and attempts = 1 and status = 'pending'`))[0]
  )
  await tell('healthmed.appointment.cancelled.v1', { ...visit, status: 'cancelled', version: 3 }, '2027-01-06T11:00:30Z')
  now = Temporal.Instant.from('2027-01-06T11:02:00Z')
  await eventually(() => rig.sink.to(patient.email).some(({ parsed }) => parsed.subject?.startsWith('Consulta cancelada')))
  expect(remindersSent(patient)).toBe(0)
  expect(remindersSent(doctor)).toBe(1)
})

test('a reminder that cannot become a mail holds no other up', async () => {
  const start = '2027-01-20T11:00:00Z'
  const [bad, good] = [await confirmed(booking, { start }), await confirmed(booking, { start })]
  // longest due, so that it is taken first
  await run(rig.sql, SQL`update appointments set end_at = 'infinity' where id = ${bad.visit.id}`)
  await run(rig.sql, SQL`update reminders set due_at = due_at - interval '1 minute' where appointment_id = ${bad.visit.id}`)
  await at('2027-01-19T11:00:00Z')
  expect(await remindersTo(good.patient)).toEqual(['reminder_24h'])
  expect(await remindersTo(bad.patient)).toEqual([])
})
