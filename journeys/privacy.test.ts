import { afterAll, beforeAll, expect, test } from 'bun:test'
import { cpf } from 'cpf-cnpj-validator'
import SQL from 'sql-template-strings'
import { connect, rows } from '#platform/data/db'
import { eventually } from '#platform/testing/testing'
import { call, newDoctor, newPatient, PASSWORD, type Person, slotsOf } from './client.ts'
import { type System, startSystem } from './system.ts'

let system: System
beforeAll(async () => {
  system = await startSystem()
}, 120_000)
afterAll(() => system?.stop(), 30_000)

/** Every row of every table of all schemas, as text. */
async function dump(): Promise<string> {
  const admin = connect(system.database.adminUrl, { name: 'dump', max: 1 })
  const tables = await rows<{ schema: string; name: string }>(
    admin,
    SQL`select schemaname as schema, tablename as name from pg_tables where schemaname in ('auth', 'scheduling', 'notifier')`
  )
  const texts = []
  for (const { schema, name } of tables) {
    const [found] = await admin.unsafe(`select coalesce(jsonb_agg(t), '[]')::text as text from "${schema}"."${name}" t`)
    texts.push(`${schema}.${name}: ${found?.text}`)
  }
  await admin.end()
  return texts.join('\n')
}

/** What waits in any queue of the broker, ready or not yet acknowledged. */
async function queued(): Promise<number> {
  const api = new URL(process.env.TEST_RABBITMQ_API ?? '')
  const authorization = `Basic ${btoa(`${decodeURIComponent(api.username)}:${decodeURIComponent(api.password)}`)}`
  const response = await fetch(`${api.origin}/api/queues/${encodeURIComponent(system.vhost)}`, { headers: { authorization } })
  const queues = (await response.json()) as { messages?: number }[]
  return queues.reduce((sum, { messages = 0 }) => sum + messages, 0)
}

const secretsOf = ({ name, email, cpf, crm }: Person, phone: string) =>
  [name, email, cpf, cpf.replace(/(\d{3})(\d{3})(\d{3})(\d{2})/, '$1.$2.$3-$4'), phone, crm].filter((text) => text !== undefined)

async function erase(person: Person) {
  const { status } = await call(system, 'DELETE', '/v1/auth/me', { token: person.token, body: { password: PASSWORD } })
  expect(status).toBe(202)
}

test('who leaves is found nowhere any more: no schema, no queue; the other party was told, and the bare booking stays', async () => {
  const phones = ['+5521912345678', '+5531987651234']
  const doctor = await newDoctor(system, {
    name: 'Dr. Evaristo Quintanilha',
    phone: phones[0],
    crm: '808080-SP',
    profile: { bio: 'Evaristo atende no centro' }
  })
  const patient = await newPatient(system, { name: 'Anacleto Quaresma', phone: phones[1], cpf: cpf.generate() })
  const other = await newPatient(system, { name: 'Zulmira Prado' })
  const [first, second] = await slotsOf(system, doctor.id)
  const book = async (token: string, start: string | undefined, reason: string) =>
    (await call<{ id: string }>(system, 'POST', '/v1/appointments', { token, body: { doctorId: doctor.id, start, reason } })).body.id
  const own = await book(patient.token, first?.start, 'Anacleto sente dor')
  const others = await book(other.token, second?.start, 'rotina')
  await call(system, 'POST', '/v1/waitlist', { token: patient.token, body: { doctorId: doctor.id, from: '2027-03-01', to: '2027-03-02' } })
  await call(system, 'POST', '/v1/calendar-feed', { token: patient.token })
  await eventually(() => system.mailbox.mails.filter(({ to }) => to === doctor.email).length >= 3)
  const before = await dump()
  // encrypted, or never there: a copy of the database tells neither
  for (const [person, phone] of [
    [doctor, phones[0]],
    [patient, phones[1]]
  ] as const) {
    expect(before).toContain(person.name)
    for (const hidden of [person.cpf, String(phone)]) expect(before).not.toContain(hidden)
  }

  await erase(patient)
  const status = async (id: string, token: string) =>
    (await call<{ status: string }>(system, 'GET', `/v1/appointments/${id}`, { token })).body.status
  await eventually(async () => (await status(own, doctor.token)) === 'cancelled')
  await system.mailbox.mailTo(doctor.email, /cancelada/i)
  await erase(doctor)
  await eventually(async () => (await status(others, other.token)) === 'cancelled')
  await system.mailbox.mailTo(other.email, /cancelada/i)
  for (const person of [patient, doctor])
    await eventually(() => system.mailbox.mails.some(({ to, subject }) => to === person.email && /conta|apagad|exclu/i.test(subject)))

  const traces = [
    ...secretsOf(patient, String(phones[1])),
    ...secretsOf(doctor, String(phones[0])),
    'Anacleto',
    'Evaristo',
    'Quaresma',
    'Quintanilha'
  ]
  const after = await eventually(async () => {
    const text = await dump()
    return traces.every((trace) => !text.includes(trace)) && text
  }, 15_000).catch(async () => {
    const text = await dump()
    throw new Error(
      `still there: ${text
        .split('\n')
        .filter((line) => traces.some((trace) => line.includes(trace)))
        .join('\n')
        .slice(0, 2_000)}`
    )
  })
  expect(await queued()).toBe(0)
  // the record of the bookings, under names that say nothing
  expect(after).toContain(own)
  expect(after).toContain(others)
}, 120_000)
