import { afterAll, beforeAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { connect, rows } from '#platform/data/db'
import { type Event, statusReasonContext, type UserSnapshot } from '#platform/events/events'
import { eventually } from '#platform/testing/testing'
import { type Rig, secrets, someAppointment, someDoctor, someEvent, somePatient, startRig } from '../testing/testing.ts'

/* What was written about somebody who was erased goes, in whatever order the events come and whoever wrote it. */
let rig: Rig
beforeAll(async () => {
  rig = await startRig()
})
afterAll(() => rig?.stop())

async function traces(what: RegExp): Promise<string[]> {
  const owner = connect(rig.database.ownerUrl, { name: 'dump', max: 1 })
  const tables = await rows<{ name: string }>(owner, SQL`select tablename as name from pg_tables where schemaname = 'notifier'`)
  const texts = await Promise.all(
    tables.map(({ name }) => owner.unsafe(`select coalesce(jsonb_agg(t), '[]')::text as text from notifier."${name}" t`))
  )
  const letters = await owner.unsafe(`select coalesce(string_agg(encode(content, 'escape'), ' '), '') as text from notifier.dead_letters`)
  await owner.end()
  return [...texts, letters].flatMap(([row]) => String(row?.text).match(what) ?? [])
}

async function people(name = 'João Ávila'): Promise<[UserSnapshot, UserSnapshot]> {
  const pair: [UserSnapshot, UserSnapshot] = [someDoctor(), somePatient({ name })]
  await rig.publish(...pair.map((person) => someEvent('healthmed.user.registered.v1', person)))
  await eventually(
    async () => (await rows(rig.sql, SQL`select 1 from people where id = any(${pair.map(({ id }) => id)}::uuid[])`)).length === 2
  )
  return pair
}
/** With a reason in clear, as earlier releases announced it, or sealed. */
function declined(doctor: UserSnapshot, patient: UserSnapshot, how: 'in clear' | 'sealed' = 'sealed') {
  const actor = { id: doctor.id, role: 'doctor' }
  const visit = someAppointment(doctor, patient, { status: 'declined', statusReason: null, actor, version: 2 })
  const text = 'Segredo: sem rosto'
  const reason =
    how === 'in clear' ? { statusReason: text } : { sealedStatusReason: secrets.ofScheduling.seal(text, statusReasonContext(visit.id)) }
  return someEvent('healthmed.appointment.declined.v1', { ...visit, ...reason })
}
/** A reason that anybody wrote, in clear, as announced or as kept. */
const reasons = /Segredo[^"]*|sealedStatusReason": ?"[^"]+/g
const erasureOf = ({ id, role }: UserSnapshot) => someEvent('healthmed.user.erased.v1', { id, role, version: 9 })
const handled = (...events: Event[]) =>
  eventually(
    async () =>
      (await rows(rig.sql, SQL`select 1 from inbox where event_id = any(${events.map(({ id }) => id)}::uuid[]) and done_at is not null`))
        .length === events.length
  )

test('a reason about an erased patient or doctor that comes late is not kept and not mailed; the reason of the system is', async () => {
  for (const how of ['in clear', 'sealed', 'sealed', 'in clear'] as const) {
    const [doctor, patient] = await people()
    const [gone, other] = how === 'sealed' ? [patient, doctor] : [doctor, patient]
    const erasure = erasureOf(gone)
    await rig.publish(erasure)
    await handled(erasure)
    await rig.publish(declined(doctor, patient, how))
    const [mail] = await rig.mailsTo(other.email, 1)
    expect(mail?.parsed.text).not.toContain('Segredo')
    expect(await traces(reasons)).toEqual([])
    const closed = someAppointment(doctor, patient, {
      status: 'cancelled',
      statusReason: 'account closed',
      actor: { id: null, role: 'system' },
      version: 2
    })
    await rig.publish(someEvent('healthmed.appointment.cancelled.v1', closed))
    const [, second] = await rig.mailsTo(other.email, 2)
    expect(second?.parsed.text).toContain('account closed')
    await rig.sql`delete from mails where recipient_id = ${other.id}`
  }
})

test('a reason that is taken in at the moment of the erasure leaves no trace', async () => {
  for (let nth = 0; nth < 12; nth++) {
    const [doctor, patient] = await people()
    const [reason, another, erasure] = [
      declined(doctor, patient),
      declined(doctor, patient, 'in clear'),
      erasureOf(nth % 2 ? patient : doctor)
    ]
    const events = nth % 3 === 0 ? [reason, erasure, another] : nth % 3 === 1 ? [erasure, reason, another] : [reason, another, erasure]
    await rig.publish(...events)
    await handled(...events)
    expect(await traces(reasons)).toEqual([])
  }
}, 60_000)

test('an event that waits for its next try loses what it says about an erased person', async () => {
  const [doctor, patient] = [someDoctor(), somePatient()]
  const registered = someEvent('healthmed.user.registered.v1', patient)
  await rig.publish(registered)
  await handled(registered)
  const reason = declined(doctor, patient)
  await rig.publish(reason)
  await eventually(
    async () => (await rows(rig.sql, SQL`select 1 from inbox where event_id = ${reason.id} and done_at is null`)).length === 1
  )
  const erasure = erasureOf(patient)
  await rig.publish(erasure)
  await handled(erasure)
  expect(await traces(reasons)).toEqual([])
  await rig.publish(someEvent('healthmed.user.registered.v1', doctor))
  const [mail] = await rig.mailsTo(doctor.email, 1)
  expect(mail?.parsed.text).not.toContain('Segredo')
})

const bury = (content: string, type: string) =>
  rig.bus.deadLetter(Buffer.from(content), { queue: 'notifier.events.v1', type, messageId: Bun.randomUUIDv7(), reason: 'x' })
const letters = async () =>
  (await rows<{ type: string }>(rig.sql, SQL`select type from dead_letters order by type`)).map(({ type }) => type)

/** What may stand among the dead letters about somebody. */
const lettersAbout = (doctor: UserSnapshot, patient: UserSnapshot): [content: string, type: string][] => [
  [JSON.stringify(someEvent('healthmed.user.updated.v1', patient)), 'healthmed.user.updated.v1'],
  [JSON.stringify(declined(doctor, patient)), 'healthmed.appointment.declined.v1'],
  [JSON.stringify(declined(doctor, patient, 'in clear')), 'healthmed.appointment.declined.v1'],
  [`{"broken": "${patient.id}", "name": "Zuleica Prado`, 'unknown']
]

test('messages that could not be processed lose what they say about an erased person, kept before or after', async () => {
  const [doctor, patient] = await people('Zuleica Prado')
  const stranger = somePatient({ name: 'Ana Alheia' })
  for (const [content, type] of lettersAbout(doctor, patient)) await bury(content, type)
  await bury(JSON.stringify(someEvent('healthmed.user.updated.v1', stranger)), 'healthmed.user.updated.v1')
  await eventually(async () => (await letters()).length === 5)
  const erasure = erasureOf(patient)
  await rig.publish(erasure)
  await handled(erasure)
  // a letter about an appointment stays, without what was said about the person
  expect(await letters()).toEqual([...Array(2).fill('healthmed.appointment.declined.v1'), 'healthmed.user.updated.v1'])
  await rig.mailsTo(patient.email, 1)
  await eventually(async () => (await traces(/Zuleica|Segredo[^"]*|sealedStatusReason": ?"[^"]+/g)).length === 0)
  expect(await traces(/Ana Alheia/g)).toHaveLength(1)

  for (const [content, type] of lettersAbout(doctor, patient)) await bury(content, type)
  await bury(
    JSON.stringify(someEvent('healthmed.user.locked_out.v1', { id: stranger.id, until: '2027-01-01T00:00:00Z' })),
    'healthmed.user.locked_out.v1'
  )
  await eventually(async () => (await letters()).includes('healthmed.user.locked_out.v1'))
  expect(await letters()).toEqual([
    ...Array(4).fill('healthmed.appointment.declined.v1'),
    'healthmed.user.locked_out.v1',
    'healthmed.user.updated.v1'
  ])
  expect(await traces(/Zuleica|Segredo[^"]*|sealedStatusReason": ?"[^"]+/g)).toEqual([])
})
