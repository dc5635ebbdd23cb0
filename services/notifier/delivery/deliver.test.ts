import { afterAll, beforeAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { rows, run } from '#platform/data/db'
import type { EventType, UserSnapshot } from '#platform/events/events'
import { eventually } from '#platform/testing/testing'
import { type Rig, secrets, someAppointment, someDoctor, someEvent, somePatient, startRig } from '../testing/testing.ts'
import { startDelivery } from './deliver.ts'
import { openSmtp } from './smtp.ts'

let rig: Rig
let now = Temporal.Now.instant()
const clock = () => now
const pass = (duration: Temporal.DurationLike) => {
  now = now.add(duration)
}
beforeAll(async () => {
  rig = await startRig({ clock, connections: 4 })
})
afterAll(() => rig.stop())

const register = async (...people: UserSnapshot[]) =>
  rig.publish(...people.map((person) => someEvent('healthmed.user.registered.v1', person, now.toString())))
const parties = async () => {
  const [doctor, patient] = [someDoctor(), somePatient()]
  await register(doctor, patient)
  return { doctor, patient }
}
const tell = (type: EventType, data: ReturnType<typeof someAppointment>) => rig.publish(someEvent(type, data, now.toString()))
type Mail = { template: string; status: string; attempts: number; lastError: string | null }
const mailsOf = (person: UserSnapshot) =>
  rows<Mail>(rig.sql, SQL`select template, status, attempts, last_error from mails where recipient_id = ${person.id} order by id`)
const settled = (person: UserSnapshot, status: string, attempts = 1) =>
  eventually(async () => (await mailsOf(person)).find((mail) => mail.status === status && mail.attempts === attempts))
const subjectsTo = ({ email }: UserSnapshot) => rig.sink.to(email).map(({ parsed }) => parsed.subject?.split(':')[0])

test('both parties get a mail for each change, in their own language and in its order', async () => {
  const [doctor, patient] = [someDoctor({ locale: 'en' }), somePatient()]
  await register(doctor, patient)
  const booked = someAppointment(doctor, patient)
  await tell('healthmed.appointment.requested.v1', booked)
  await tell('healthmed.appointment.confirmed.v1', { ...booked, status: 'confirmed', version: 2 })
  await tell('healthmed.appointment.cancelled.v1', { ...booked, status: 'cancelled', version: 3 })
  await rig.mailsTo(patient.email, 3)
  await rig.mailsTo(doctor.email, 3)
  expect(subjectsTo(patient)).toEqual(['Consulta solicitada', 'Consulta confirmada', 'Consulta cancelada'])
  expect(subjectsTo(doctor)).toEqual(['Appointment requested', 'Appointment confirmed', 'Appointment cancelled'])
})

test('the same event twice is one mail', async () => {
  const { doctor, patient } = await parties()
  const event = someEvent('healthmed.appointment.requested.v1', someAppointment(doctor, patient), now.toString())
  await rig.publish(event, event)
  await rig.publish(event)
  await rig.mailsTo(doctor.email, 1)
  await tell('healthmed.appointment.declined.v1', {
    ...someAppointment(doctor, patient),
    id: event.data.id,
    status: 'declined',
    version: 2
  })
  await rig.mailsTo(patient.email, 2)
  expect(subjectsTo(patient)).toEqual(['Consulta solicitada', 'Consulta recusada'])
})

test('a 550 for one party ends as failed, and the other has one mail', async () => {
  const { doctor, patient } = await parties()
  rig.sink.manners.set(patient.email, 550)
  await tell('healthmed.appointment.requested.v1', someAppointment(doctor, patient))
  const failed = await settled(patient, 'failed')
  expect(failed.lastError).toContain('550')
  expect(failed.lastError).not.toContain(patient.email)
  await settled(doctor, 'sent')
  expect(rig.sink.to(doctor.email)).toHaveLength(1)
})

test('a 451 is tried again at each step of the ladder, until it is taken', async () => {
  const { doctor, patient } = await parties()
  rig.sink.manners.set(patient.email, [451, 451, 451])
  await tell('healthmed.appointment.requested.v1', someAppointment(doctor, patient))
  for (const [attempts, minutes] of [1, 5, 30].entries()) {
    await settled(patient, 'pending', attempts + 1)
    pass({ seconds: minutes * 60 - 1 })
    await Bun.sleep(600)
    expect(rig.sink.to(patient.email)).toHaveLength(0)
    pass({ seconds: 1 })
  }
  await settled(patient, 'sent', 4)
  expect(rig.sink.to(patient.email)).toHaveLength(1)
  expect(rig.sink.to(doctor.email)).toHaveLength(1)
})

test('a 451 without end ends as failed after six tries', async () => {
  const { doctor, patient } = await parties()
  rig.sink.manners.set(patient.email, 451)
  await tell('healthmed.appointment.requested.v1', someAppointment(doctor, patient))
  for (let attempts = 1; attempts <= 5; attempts++) {
    await settled(patient, 'pending', attempts)
    pass({ hours: 6 })
  }
  await settled(patient, 'failed', 6)
})

test('a server that hangs after the end of a mail holds nobody else up', async () => {
  const [stuck, other] = [await parties(), await parties()]
  rig.sink.manners.set(stuck.patient.email, ['hang'])
  await tell('healthmed.appointment.requested.v1', someAppointment(stuck.doctor, stuck.patient))
  await tell('healthmed.appointment.requested.v1', someAppointment(other.doctor, other.patient))
  await rig.mailsTo(other.patient.email, 1)
  await rig.mailsTo(stuck.doctor.email, 1)
  await settled(stuck.patient, 'pending')
  pass({ minutes: 1 })
  await settled(stuck.patient, 'sent', 2)
})

test('a line that breaks after the end of a mail is tried again with the same Message-ID', async () => {
  const { doctor, patient } = await parties()
  rig.sink.manners.set(patient.email, ['reset'])
  await tell('healthmed.appointment.requested.v1', someAppointment(doctor, patient))
  await settled(patient, 'pending')
  pass({ minutes: 1 })
  const [mail] = await rig.mailsTo(patient.email, 1)
  expect(mail?.parsed.messageId).toMatch(new RegExp(`^<[0-9a-f-]{36}\\.${patient.id}\\.appointment_requested@healthmed\\.example>$`))
})

test('while there is no mail server mails wait without losing tries, and go when it is back', async () => {
  const { doctor, patient } = await parties()
  await rig.sink.close()
  await tell('healthmed.appointment.requested.v1', someAppointment(doctor, patient))
  await eventually(async () => (await mailsOf(patient)).length === 1)
  await Bun.sleep(1_000)
  expect((await mailsOf(patient))[0]).toMatchObject({ status: 'pending', attempts: 0 })
  await rig.sink.open()
  await rig.mailsTo(patient.email, 1)
  expect((await settled(patient, 'sent')).attempts).toBe(1)
})

test('news that a later change has made untrue while there was no server never leave, and the last do', async () => {
  const { doctor, patient } = await parties()
  await rig.sink.close()
  const booked = someAppointment(doctor, patient)
  await tell('healthmed.appointment.requested.v1', booked)
  await tell('healthmed.appointment.confirmed.v1', { ...booked, status: 'confirmed', version: 2 })
  pass({ seconds: 3 })
  await tell('healthmed.appointment.cancelled.v1', { ...booked, status: 'cancelled', version: 3 })
  await eventually(async () => (await mailsOf(patient)).length === 3)
  await rig.sink.open()
  await rig.mailsTo(doctor.email, 1)
  await rig.mailsTo(patient.email, 1)
  await eventually(async () => (await mailsOf(patient)).every(({ status }) => status !== 'sending'))
  expect((await mailsOf(patient)).map(({ template, status }) => `${template} ${status}`)).toEqual([
    'appointment_requested superseded',
    'appointment_confirmed superseded',
    'appointment_cancelled sent'
  ])
  expect(subjectsTo(patient)).toEqual(['Consulta cancelada'])
})

test('a mail of a process that died after its claim is sent by another when the lease has run out, once', async () => {
  const { doctor, patient } = await parties()
  await tell('healthmed.appointment.requested.v1', someAppointment(doctor, patient))
  await settled(patient, 'sent')
  const lost = SQL`update mails set status = 'sending', lease_token = gen_random_uuid(), due_at = ${now.add({ seconds: 15 }).toString()}::timestamptz,
                          event_at = now() where recipient_id = ${patient.id}`
  await run(rig.sql, lost)
  await Bun.sleep(700)
  expect(rig.sink.to(patient.email)).toHaveLength(1)
  pass({ seconds: 15 })
  await settled(patient, 'sent', 2)
  const [first, second] = rig.sink.to(patient.email)
  expect(second?.parsed.messageId).toBe(first?.parsed.messageId ?? '')
})

test('a clock that jumps past its lease does not send a mail again that is under way', async () => {
  const { doctor, patient } = await parties()
  rig.sink.manners.set(patient.email, ['hang'])
  await tell('healthmed.appointment.requested.v1', someAppointment(doctor, patient))
  await settled(patient, 'sending')
  pass({ seconds: 60 })
  // claimed once more, by the one who has it
  await eventually(async () => (await mailsOf(patient))[0]?.attempts === 2)
  await Bun.sleep(200)
  expect(rig.sink.to(patient.email)).toHaveLength(0)
  await settled(patient, 'pending', 2)
  pass({ minutes: 1 })
  await settled(patient, 'sent', 3)
})

test('a mail that cannot be composed ends as failed and holds nobody up', async () => {
  const { doctor, patient } = await parties()
  const lost = somePatient({ email: 'a@example.com, b@example.com' })
  await register(lost)
  await tell('healthmed.appointment.requested.v1', someAppointment(doctor, lost))
  expect((await settled(lost, 'failed')).lastError).toContain('no address')
  await tell('healthmed.appointment.requested.v1', someAppointment(doctor, patient))
  await rig.mailsTo(patient.email, 1)
})

test('three senders share 200 mails, and each leaves once', async () => {
  const others = await Promise.all(
    [1, 2].map(() => {
      const smtp = openSmtp(rig.sink.url, { connections: 4 })
      return startDelivery({ sql: rig.sql, smtp, sender: rig.sender, secrets, worker: crypto.randomUUID(), clock }, 4)
    })
  )
  const pairs = await Promise.all(Array.from({ length: 100 }, parties))
  await Promise.all(pairs.map(({ doctor, patient }) => tell('healthmed.appointment.requested.v1', someAppointment(doctor, patient))))
  const people = pairs.flatMap(({ doctor, patient }) => [doctor, patient])
  await eventually(() => people.every(({ email }) => rig.sink.to(email).length >= 1), 20_000)
  await eventually(async () => (await rows(rig.sql, SQL`select 1 from mails where status in ('pending', 'sending')`)).length === 0)
  expect(people.filter(({ email }) => rig.sink.to(email).length !== 1)).toEqual([])
  for (const other of others) await other.stop()
})

test('the delivery log tells each attempt and how it ended, without addresses', async () => {
  const { doctor, patient } = await parties()
  rig.sink.manners.set(patient.email, [451])
  await tell('healthmed.appointment.requested.v1', someAppointment(doctor, patient))
  await settled(patient, 'pending')
  pass({ minutes: 1 })
  await settled(patient, 'sent', 2)
  const log = await rows<{ attempt: number; outcome: string; reply: string }>(
    rig.sql,
    SQL`select attempt, outcome, reply from deliveries d join mails m on m.id = d.mail_id where m.recipient_id = ${patient.id} order by attempt`
  )
  expect(log.map(({ attempt, outcome }) => `${attempt} ${outcome}`)).toEqual(['1 refused', '2 sent'])
  expect(log[0]?.reply).toContain('451')
  expect(JSON.stringify(log)).not.toContain(patient.email)
})
