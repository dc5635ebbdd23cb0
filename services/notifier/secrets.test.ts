import { afterAll, beforeAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { run } from '#platform/data/db'
import { openKeyRing, rotateKeys } from '#platform/data/key-ring'
import { resealBatch } from '#platform/data/reseal'
import { sealOfSetting } from '#platform/data/seal'
import { mailTokenContext, statusReasonContext } from '#platform/events/events'
import { eventually } from '#platform/testing/testing'
import { purgeEmails } from './purge.ts'
import { openData, sealedTables } from './secrets.ts'
import { type Rig, secrets, someAppointment, someDoctor, someEvent, somePatient, startRig } from './testing/testing.ts'

let rig: Rig
beforeAll(async () => {
  rig = await startRig()
})
afterAll(() => rig?.stop())

const inMinutes = (minutes: number) => Temporal.Now.instant().add({ minutes }).toString()
const everything = async () => {
  const tables = await Promise.all(
    ['mails', 'inbox', 'deliveries', 'appointments'].map((table) => rig.sql.unsafe(`select * from ${table}`))
  )
  return JSON.stringify(tables)
}
const register = async () => {
  const people = [someDoctor(), somePatient()] as const
  await rig.publish(...people.map((person) => someEvent('healthmed.user.registered.v1', person)))
  return people
}
const token = `${Bun.randomUUIDv7()}.${'Zt'.repeat(21)}z`

test.each(['verification', 'password_reset'] as const)(
  'a sealed token of a %s stays sealed until its mail is written, and is in the mail',
  async (kind) => {
    const [, patient] = await register()
    await rig.sink.close()
    const sealedToken = secrets.ofAuth.seal(token, mailTokenContext(patient.id))
    await rig.publish(someEvent(`healthmed.user.${kind}_requested.v1`, { id: patient.id, sealedToken, expiresAt: inMinutes(30) }))
    await eventually(async () => (await everything()).includes(sealedToken))
    expect(await everything()).not.toContain('ZtZtZt')
    await rig.sink.open()
    const [mail] = await rig.mailsTo(patient.email, 1)
    expect(mail?.parsed.text).toContain(`#token=${token}`)
    expect(await everything()).not.toContain('ZtZtZt')
  }
)

test('a token that was sealed for somebody else does not become a mail', async () => {
  const [doctor, patient] = await register()
  const sealedToken = secrets.ofAuth.seal(token, mailTokenContext(doctor.id))
  const event = someEvent('healthmed.user.password_reset_requested.v1', { id: patient.id, sealedToken, expiresAt: inMinutes(30) })
  await rig.publish(event)
  await eventually(async () => (await rig.sql`select 1 from inbox where event_id = ${event.id} and last_error is not null`).length === 1)
  expect(rig.sink.to(patient.email)).toHaveLength(0)
})

test('an event whose key is not known yet waits for it', async () => {
  const [, patient] = await register()
  const sealedToken = sealOfSetting('cc'.repeat(32)).seal(token, mailTokenContext(patient.id))
  const event = someEvent('healthmed.user.password_reset_requested.v1', { id: patient.id, sealedToken, expiresAt: inMinutes(30) })
  await rig.publish(event)
  const [waiting] = await eventually(async () => {
    const found = await rig.sql`select attempts, last_error from inbox where event_id = ${event.id} and last_error is not null`
    return found.length > 0 && found
  })
  expect(waiting?.lastError).toContain('is not known here')
})

test.each(['sealed', 'in clear, of an earlier release'])('a reason that comes %s is in the mail and in no table', async (how) => {
  const [doctor, patient] = await register()
  const visit = someAppointment(doctor, patient, { status: 'declined', version: 2 })
  const reason = `Cirurgia ${crypto.randomUUID()}`
  const data =
    how === 'sealed'
      ? { ...visit, sealedStatusReason: secrets.ofScheduling.seal(reason, statusReasonContext(visit.id)) }
      : { ...visit, statusReason: reason }
  await rig.publish(someEvent('healthmed.appointment.declined.v1', data))
  const [mail] = await rig.mailsTo(patient.email, 1)
  expect(mail?.parsed.text).toContain(reason)
  expect(await everything()).not.toContain(reason)
})

test('a reason that an earlier release stored in clear is sealed in the background, and again when keys change', async () => {
  const [doctor, patient] = await register()
  const visit = someAppointment(doctor, patient, { status: 'declined', version: 2 })
  await rig.publish(someEvent('healthmed.appointment.declined.v1', visit))
  await rig.mailsTo(patient.email, 1)
  await run(
    rig.sql,
    SQL`update mails set data = jsonb_set(data, '{appointment,statusReason}', '"Motivo antigo"') where appointment_id = ${visit.id}`
  )
  const now = Temporal.Now.instant()
  const ring = await openKeyRing(rig.sql, 'a1'.repeat(32), () => now)
  const [mails] = sealedTables
  if (!mails) throw new Error('there is no such table')
  const reasonOf = async () => {
    const [row] = await rig.sql`select data, recipient_id, appointment_id from mails where appointment_id = ${visit.id} limit 1`
    return openData({ ...secrets, own: ring }, row as unknown as Parameters<typeof openData>[1]).appointment?.statusReason
  }
  while (await resealBatch(rig.sql, ring, mails, now)) {}
  expect(await everything()).not.toContain('Motivo antigo')
  expect(await reasonOf()).toBe('Motivo antigo')
  const id = await rotateKeys(rig.sql, 'a1'.repeat(32), now.subtract({ minutes: 2 }))
  await ring.refresh()
  ring.stop()
  while (await resealBatch(rig.sql, ring, mails, now)) {}
  expect(await everything()).toContain(`sealed:${id}.`)
  expect(await reasonOf()).toBe('Motivo antigo')
})

test('an email goes after its time with its delivery log, and one that has not left stays', async () => {
  const [, patient] = await register()
  const approved = someEvent('healthmed.doctor.approved.v1', { id: patient.id })
  await rig.publish(approved)
  await rig.mailsTo(patient.email, 1)
  const kept = async () => (await rig.sql`select 1 from mails where event_id = ${approved.id}`).length
  await eventually(async () => (await rig.sql`select 1 from mails where event_id = ${approved.id} and status = 'sent'`).length === 1)
  const now = Temporal.Now.instant()
  await purgeEmails(rig.sql, now.add({ hours: 179 * 24 }), { emailDays: 180 })
  expect(await kept()).toBe(1)
  const later = now.add({ hours: 181 * 24 })
  await rig.sql`update mails set status = 'pending', due_at = now() + interval '1 day' where event_id = ${approved.id}`
  await purgeEmails(rig.sql, later, { emailDays: 180 })
  expect(await kept()).toBe(1)
  await rig.sql`update mails set status = 'failed' where event_id = ${approved.id}`
  await Promise.all([1, 2].map(() => purgeEmails(rig.sql, later, { emailDays: 180 })))
  expect(await kept()).toBe(0)
  expect(await rig.sql`select 1 from deliveries d left join mails m on m.id = d.mail_id where m.id is null`).toHaveLength(0)
})
