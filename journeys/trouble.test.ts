import { afterAll, beforeAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { rows } from '#platform/data/db'
import { eventually } from '#platform/testing/testing'
import { call, newDoctor, newPatient, type Person, slotsOf } from './client.ts'
import { type Name, type System, startSystem } from './system.ts'

let system: System
let doctor: Person
let patient: Person

beforeAll(async () => {
  system = await startSystem()
  doctor = await newDoctor(system)
  patient = await newPatient(system)
  // the doctor's address and approval, and the patient's address: none of these mails may be on its way when mails are counted
  const had = (person: Person) => system.mailbox.mails.filter(({ to }) => to === person.email).length
  await eventually(() => had(doctor) === 2 && had(patient) === 1)
}, 120_000)
afterAll(() => system?.stop(), 30_000)

const book = async () => {
  const [slot] = await slotsOf(system, doctor.id)
  const answer = await call<{ id: string; start: string }>(system, 'POST', '/v1/appointments', {
    token: patient.token,
    body: { doctorId: doctor.id, start: slot?.start }
  })
  expect(answer.status).toBe(201)
  return answer.body
}
const cancel = (id: string) => call(system, 'POST', `/v1/appointments/${id}/cancel`, { token: patient.token, body: { reason: 'teste' } })

/** How many mails each party has had since `from`. */
const mailsSince = (from: number) =>
  [patient, doctor].map(({ email }) => system.mailbox.mails.slice(from).filter((mail) => mail.to === email).length)
const settled = () =>
  eventually(async () => {
    const [outbox] = await rows<{ count: number }>(system.database.sql, SQL`select count(*) as count from outbox where sent_at is null`)
    return outbox?.count === 0
  }, 30_000)

test('without the broker bookings go on, and their mails follow when it is back', async () => {
  const before = system.mailbox.mails.length
  system.broker.cut()
  const { id } = await book()
  expect(mailsSince(before)).toEqual([0, 0])
  system.broker.heal()
  await eventually(() => mailsSince(before).every((count) => count === 1), 30_000)
  await settled()
  expect(mailsSince(before)).toEqual([1, 1])
  await cancel(id)
  await eventually(() => mailsSince(before).every((count) => count === 2))
}, 120_000)

test('without SMTP mails wait, and go once when it is back', async () => {
  const before = system.mailbox.mails.length
  await system.mailbox.close()
  const { id } = await book()
  await settled()
  await system.mailbox.open()
  // a mail that met the server as it left was refused, and is tried again after a minute
  await eventually(() => mailsSince(before).every((count) => count >= 1), 90_000)
  await cancel(id)
  await eventually(() => mailsSince(before).every((count) => count >= 2), 90_000)
  expect(mailsSince(before)).toEqual([2, 2])
}, 240_000)

const crashes: Name[] = ['auth', 'scheduling', 'notifier', 'gateway']
test.each(crashes)(
  '%s is killed and started again: nothing is lost',
  async (name) => {
    const before = system.mailbox.mails.length
    const { id, start } = await book()
    await system.kill(name)
    await system.start(name)
    const found = await eventually(async () => {
      const answer = await call<{ start: string }>(system, 'GET', `/v1/appointments/${id}`, { token: patient.token })
      return answer.status === 200 && answer.body
    })
    expect(found.start).toBe(start)
    await eventually(() => mailsSince(before).every((count) => count >= 1), 30_000)
    await cancel(id)
    await eventually(() => mailsSince(before).every((count) => count >= 2), 30_000)
  },
  90_000
)

test('each process ends with 0 when it is asked to', async () => {
  for (const name of ['gateway', 'notifier', 'scheduling', 'auth'] as const) {
    expect([name, await system.terminate(name)]).toEqual([name, 0])
  }
  await Promise.all((['auth', 'notifier', 'scheduling', 'gateway'] as const).map(system.start))
}, 90_000)

test('every process tells its health and its metrics on its own port, and the gateway tells the whole', async () => {
  for (const name of ['auth', 'scheduling', 'notifier'] as const) {
    const state = async () => ((await (await fetch(`${system.urlOf(name)}/health/ready`)).json()) as { status: string }).status
    // just started: what it can do without for a while may still be on its way
    await eventually(async () => (await state()) === 'up')
    const metrics = await (await fetch(`${system.urlOf(name)}/metrics`)).text()
    expect(metrics).toContain('healthmed_http_request_seconds_count')
    expect(metrics).toContain('healthmed_event_loop_lag_seconds')
  }
  expect((await call(system, 'GET', '/health')).status).toBe(200)
  expect((await call(system, 'GET', '/metrics')).status).toBe(404)
})
