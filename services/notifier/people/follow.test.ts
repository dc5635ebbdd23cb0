import { afterAll, beforeAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { rows, run } from '#platform/data/db'
import { eventually, signer } from '#platform/testing/testing'
import { notifier } from '../app.ts'
import { type Rig, someAppointment, someDoctor, someEvent, somePatient, startRig } from '../testing/testing.ts'

let rig: Rig
let sign: Awaited<ReturnType<typeof signer>>
beforeAll(async () => {
  rig = await startRig()
  sign = await signer()
})
afterAll(() => rig.stop())

const known = (id: string, version: number) =>
  eventually(
    async () =>
      (
        await rows<{ name: string | null; email: string | null; version: number }>(
          rig.sql,
          SQL`select name, email, version from people where id = ${id} and version >= ${version}`
        )
      )[0]
  )
const exportOf = async (id: string, authorization: string) => {
  const app = notifier({ sql: rig.sql, bus: rig.bus, verify: sign.verify, clock: () => Temporal.Now.instant(), checks: [] })
  const answer = await app.handle(new Request(`http://localhost/internal/people/${id}/export`, { headers: { authorization } }))
  return { status: answer.status, body: (await answer.json()) as { contact: unknown; mails: { template: string }[] } }
}

test('mails go to what the newest snapshot says; an older one that comes late changes nothing', async () => {
  const person = someDoctor()
  await rig.publish(someEvent('healthmed.user.registered.v1', person))
  await rig.publish(someEvent('healthmed.user.updated.v1', { ...person, name: 'Dra. Íris Silva', locale: 'en', version: 3 }))
  await known(person.id, 3)
  await rig.publish(someEvent('healthmed.user.updated.v1', { ...person, name: 'Dra. Í. C.', version: 2 }))
  await rig.publish(someEvent('healthmed.doctor.approved.v1', { id: person.id }))
  const [mail] = await rig.mailsTo(person.email, 1)
  expect(mail?.parsed.subject).toBe('Your registration was approved')
  expect(mail?.parsed.text).toContain('Dra. Íris Silva')
})

test('an event that comes before its people waits for them', async () => {
  const [doctor, patient] = [someDoctor(), somePatient()]
  await rig.publish(someEvent('healthmed.appointment.requested.v1', someAppointment(doctor, patient)))
  await eventually(async () => (await rows(rig.sql, SQL`select 1 from inbox where done_at is null`)).length === 1)
  await rig.publish(...[doctor, patient].map((person) => someEvent('healthmed.user.registered.v1', person)))
  await rig.mailsTo(patient.email, 1)
  await rig.mailsTo(doctor.email, 1)
})

test.each([
  ['healthmed.user.verification_requested.v1', 'Confirme seu e-mail'],
  ['healthmed.user.password_reset_requested.v1', 'Redefinir sua senha']
] as const)('%s brings its token, which the database forgets once it has left', async (type, subject) => {
  const person = somePatient()
  const token = `tok_${crypto.randomUUID()}`
  await rig.publish(someEvent('healthmed.user.registered.v1', person))
  await known(person.id, 1)
  await rig.publish(someEvent(type, { id: person.id, token, expiresAt: Temporal.Now.instant().add({ hours: 1 }).toString() }))
  const [mail] = await rig.mailsTo(person.email, 1)
  expect(mail?.parsed.subject).toBe(subject)
  expect(mail?.parsed.text).toContain(`#token=${token}`)
  expect(String(mail?.parsed.html)).toContain(`#token=${token}`)
  await eventually(
    async () =>
      (await rows<{ status: string }>(rig.sql, SQL`select status from mails where recipient_id = ${person.id}`))[0]?.status === 'sent'
  )
  for (const table of ['mails', 'inbox', 'deliveries']) {
    expect(JSON.stringify(await rig.sql.unsafe(`select * from ${table}`))).not.toContain(token)
  }
})

test('an erased person gets one last mail and is forgotten, also what they wrote; a late event brings nobody back', async () => {
  const [doctor, patient] = [someDoctor(), somePatient({ name: 'Zuleica Prado' })]
  await rig.publish(...[doctor, patient].map((person) => someEvent('healthmed.user.registered.v1', person)))
  await rig.bus.deadLetter(Buffer.from(JSON.stringify(someEvent('healthmed.user.updated.v1', patient))), {
    queue: 'notifier.events.v1',
    type: 'healthmed.user.updated.v1',
    messageId: Bun.randomUUIDv7(),
    reason: 'x'
  })
  await eventually(async () => (await rows(rig.sql, SQL`select 1 from dead_letters`)).length === 1)
  await known(doctor.id, 1)
  await known(patient.id, 1)
  const visit = someAppointment(doctor, patient, { status: 'cancelled', statusReason: 'Mudei de cidade' })
  await rig.publish(someEvent('healthmed.appointment.cancelled.v1', visit))
  await rig.mailsTo(doctor.email, 1)
  await rig.mailsTo(patient.email, 1)
  await rig.publish(someEvent('healthmed.user.erased.v1', { id: patient.id, role: 'patient', version: 9 }))
  const [, farewell] = await rig.mailsTo(patient.email, 2)
  expect(farewell?.parsed.subject).toBe('Sua conta foi apagada')
  expect(await known(patient.id, 9)).toEqual({ name: null, email: null, version: 9 })

  await rig.publish(someEvent('healthmed.user.updated.v1', { ...patient, version: 8 }))
  await rig.publish(someEvent('healthmed.appointment.requested.v1', someAppointment(doctor, patient)))
  const [, second] = await rig.mailsTo(doctor.email, 2)
  expect(second?.parsed.text).toContain('o paciente pediu uma consulta')
  await eventually(async () => (await rows(rig.sql, SQL`select 1 from mails where status <> 'sent'`)).length === 0)
  expect(rig.sink.to(patient.email)).toHaveLength(2)
  for (const table of ['people', 'mails', 'inbox', 'deliveries', 'appointments']) {
    const all = JSON.stringify(await rig.sql.unsafe(`select * from ${table}`))
    for (const trace of [patient.email, 'Zuleica', 'Mudei de cidade']) expect(all).not.toContain(trace)
  }
  expect(await rows(rig.sql, SQL`select 1 from dead_letters`)).toHaveLength(0)
})

test('a person gets what is held on them with their own token, and nobody else does', async () => {
  const person = someDoctor()
  await rig.publish(someEvent('healthmed.user.registered.v1', person))
  await rig.publish(someEvent('healthmed.doctor.approved.v1', { id: person.id }))
  await rig.mailsTo(person.email, 1)
  const own = await exportOf(person.id, await sign.bearer({ id: person.id, role: 'doctor' }))
  expect(own.status).toBe(200)
  expect(own.body.contact).toEqual({ name: person.name, email: person.email, locale: 'pt-BR', timezone: 'America/Sao_Paulo' })
  expect(own.body.mails.map(({ template }) => template)).toEqual(['doctor_approved'])
  expect((await exportOf(person.id, await sign.bearer({ role: 'admin' }))).status).toBe(404)
  expect((await exportOf(person.id, '')).status).toBe(401)
})

test('whether an address is proved follows its owner; told again of one whose state was not known, it is put right', async () => {
  const person = somePatient({ emailVerified: false })
  const verified = () => rows<{ verified: boolean }>(rig.sql, SQL`select verified from people where id = ${person.id}`)
  const tell = (type: 'registered' | 'updated', more: object) => rig.publish(someEvent(`healthmed.user.${type}.v1`, { ...person, ...more }))
  await tell('registered', {})
  await eventually(async () => (await verified())[0]?.verified === false)
  await tell('updated', { emailVerified: true, version: 2 })
  await eventually(async () => (await verified())[0]?.verified === true)
  // as it was before the column was there, and told of again without a change
  await run(rig.sql, SQL`update people set verified = false where id = ${person.id}`)
  await tell('updated', { emailVerified: true, version: 2 })
  await eventually(async () => (await verified())[0]?.verified === true)
  await tell('updated', { emailVerified: false, version: 1 })
  const other = somePatient()
  await rig.publish(someEvent('healthmed.user.registered.v1', other))
  await eventually(async () => (await rows(rig.sql, SQL`select 1 from people where id = ${other.id}`)).length === 1)
  expect((await verified())[0]?.verified).toBe(true)
})
