import { afterAll, beforeAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { connect, rows } from '#platform/data/db'
import type { UserSnapshot } from '#platform/events/events'
import { eventually } from '#platform/testing/testing'
import { type Answer, everyDay, expected, none, type Rig, someDoctor, startRig, word } from '../testing/testing.ts'

/*
 * Who was erased or disabled writes nothing more, though a token still runs: at the latest when the event of it has been handled. What was written while
 * it was on its way is erased with the rest, whoever was quicker.
 */
let rig: Rig
let doctor: UserSnapshot
let slots: string[]
beforeAll(async () => {
  rig = await startRig({ replicas: 2, max: 20 })
  doctor = await rig.doctor()
  slots = await rig.slotsOf(doctor)
})
afterAll(() => rig?.stop())

const erase = ({ id, role }: UserSnapshot) => rig.tell('healthmed.user.erased.v1', { id, role, version: 9 })
const disable = (user: UserSnapshot) => rig.tell('healthmed.user.updated.v1', { ...user, disabled: true, version: 9 })
const reject = (user: UserSnapshot) => rig.tell('healthmed.user.updated.v1', { ...user, approval: 'rejected', version: 9 })
const nextSlot = () => slots.shift() ?? ''

/** Every row of every table that holds anything of people, as text. */
async function dump(): Promise<string> {
  const owner = connect(rig.database.ownerUrl, { name: 'dump', max: 1 })
  const tables = await rows<{ name: string }>(owner, SQL`select tablename as name from pg_tables where schemaname = 'scheduling'`)
  const texts = await Promise.all(
    tables.map(({ name }) => owner.unsafe(`select coalesce(jsonb_agg(t), '[]')::text as text from scheduling."${name}" t`))
  )
  await owner.end()
  return texts.map(([row]) => String(row?.text)).join('\n')
}
/** Texts that somebody wrote to or about a person, sealed or not: those of the system are about nobody, and the reason for a visit is the patient's. */
const textsAbout = ({ id }: UserSnapshot) =>
  rows(
    rig.sql,
    SQL`select reason as text from appointments where patient_id = ${id}::uuid and reason is not null
        union all select status_reason from appointments a
         where ${id}::uuid in (doctor_id, patient_id) and status_reason is not null
           and not exists (select 1 from history h where h.appointment_id = a.id and h.version = a.version and h.actor_role = 'system')
        union all select reason from history where ${id}::uuid in (doctor_id, patient_id) and reason is not null and actor_role <> 'system'
        union all select data::text from outbox
         where ${id} in (data->>'doctorId', data->>'patientId') and data->'actor'->>'role' <> 'system'
           and coalesce(data->>'statusReason', data->>'sealedStatusReason') is not null`
  )
const traces = async (what: RegExp) => [...new Set((await dump()).match(what) ?? [])]

type Write = [what: string, write: () => Promise<Answer<never>>]
const waitFor = (days: string) => ({ doctorId: doctor.id, from: `2027-02-${days}`, to: `2027-02-${days}` })

/** Everything that a patient can write, on appointments and holds of their own. */
async function writesOf(patient: UserSnapshot, text = 'Segredo'): Promise<Write[]> {
  const [held, kept, moved] = [nextSlot(), nextSlot(), nextSlot()]
  const keptId = (await expected(201, rig.wish(patient, doctor, kept))).body.id
  const movedId = (await expected(201, rig.wish(patient, doctor, moved))).body.id
  const holdId = (await expected(201, rig.call('POST', '/v1/holds', { as: patient, body: { doctorId: doctor.id, start: held } }))).body.id
  const [fresh, target] = [nextSlot(), nextSlot()]
  const call = (method: string, path: string, body?: unknown) => rig.call<never>(method, path, { as: patient, body })
  return [
    ['book', () => call('POST', '/v1/appointments', { doctorId: doctor.id, start: fresh, reason: text })],
    ['book with a hold', () => call('POST', '/v1/appointments', { doctorId: doctor.id, start: held, holdId, reason: text })],
    ['cancel', () => call('POST', `/v1/appointments/${keptId}/cancel`, { reason: text })],
    ['move', () => call('POST', `/v1/appointments/${movedId}/reschedule`, { start: target })],
    ['join the waitlist', () => call('POST', '/v1/waitlist', waitFor('03'))],
    ['give a hold up', () => call('DELETE', `/v1/holds/${Bun.randomUUIDv7()}`)],
    ['leave the waitlist', () => call('DELETE', `/v1/waitlist/${Bun.randomUUIDv7()}`)],
    ['make a feed', () => call('POST', '/v1/calendar-feed')]
  ]
}

/** Everything that a doctor can write, about an appointment of `patient`. */
async function doctorWrites(practice: UserSnapshot, patient: UserSnapshot, text = 'Segredo'): Promise<Write[]> {
  const own = await rig.slotsOf(practice)
  const ids: string[] = []
  for (const start of own.slice(0, 4)) ids.push((await expected(201, rig.wish(patient, practice, start))).body.id)
  await expected(200, rig.act(practice, ids[3] ?? '', 'confirm'))
  const call = (method: string, path: string, body?: unknown) => rig.call<never>(method, path, { as: practice, body })
  const profile = { specialties: ['cardiologia'], price: { amount: 1, currency: 'BRL' }, timezone: 'America/Sao_Paulo', bio: text }
  return [
    ['confirm', () => call('POST', `/v1/appointments/${ids[0]}/confirm`)],
    ['decline', () => call('POST', `/v1/appointments/${ids[1]}/decline`, { reason: text })],
    ['cancel', () => call('POST', `/v1/appointments/${ids[2]}/cancel`, { reason: text })],
    ['move', () => call('POST', `/v1/appointments/${ids[3]}/reschedule`, { start: own.at(-1) })],
    ['write the profile', () => call('PUT', '/v1/doctors/me/profile', profile)],
    ['write the hours', () => call('PUT', '/v1/doctors/me/schedule', { slotMinutes: 30, rules: everyDay() })],
    [
      'add an exception',
      () => call('POST', '/v1/doctors/me/exceptions', { kind: 'closed', from: '2027-03-01', to: '2027-03-01', reason: text })
    ],
    ['remove an exception', () => call('DELETE', `/v1/doctors/me/exceptions/${Bun.randomUUIDv7()}`)],
    ['make a feed', () => call('POST', '/v1/calendar-feed')]
  ]
}

test.each([
  ['erased', erase],
  ['disabled', disable]
] as const)('a patient who was %s writes nothing more with a token that still runs', async (_, end) => {
  const [patient, another] = [await rig.patient(), await rig.patient()]
  const writes = await writesOf(patient)
  await end(patient)
  await end(another)
  const before = await dump()
  for (const [what, write] of writes) expect([what, word(await write())]).toEqual([what, '401 token_revoked'])
  const hold = await rig.call('POST', '/v1/holds', { as: another, body: { doctorId: doctor.id, start: nextSlot() } })
  expect(word(hold)).toBe('401 token_revoked')
  expect(await dump()).toBe(before)
})

test.each([
  ['erased', erase, '401 token_revoked'],
  ['disabled', disable, '401 token_revoked'],
  ['rejected', reject, '403 forbidden']
] as const)('a doctor who was %s writes nothing more with a token that still runs', async (_, end, refusal) => {
  const [practice, patient] = [await rig.doctor(), await rig.patient()]
  const writes = await doctorWrites(practice, patient)
  await end(practice)
  const before = await dump()
  for (const [what, write] of writes) expect([what, word(await write())]).toEqual([what, refusal])
  expect(await dump()).toBe(before)
})

test('an erased doctor who had published nothing does not come back by reading the own profile', async () => {
  const early = await rig.signIn(someDoctor({ name: 'Dra. Xerazade' }))
  await erase(early)
  expect(word(await rig.call('GET', '/v1/doctors/me/profile', { as: early }))).toBe('401 token_revoked')
  expect(await traces(/Xerazade/g)).toEqual([])
})

test('what a patient writes while the erasure is handled is refused or erased, whoever is quicker', async () => {
  for (let nth = 0; nth < 10; nth++) {
    slots = await rig.slotsOf(doctor)
    const patient = await rig.patient({ name: `Xandre Único ${nth}` })
    const writes = await writesOf(patient, `Segredo ${nth}`)
    const answers = await Promise.all([
      ...writes.slice(0, nth % writes.length).map(([, write]) => write()),
      erase(patient),
      ...writes.slice(nth % writes.length).map(([, write]) => write())
    ])
    for (const answer of answers) if (answer) expect(answer.status).toBeLessThan(500)
    expect(await traces(/Xandre[^"]*|Segredo[^"]*/g)).toEqual([])
    expect(await textsAbout(patient)).toEqual([])
    const left = await rows(
      rig.sql,
      SQL`select 1 from appointments where patient_id = ${patient.id}::uuid and status in ('held', 'requested', 'confirmed')
           union all select 1 from calendar_feeds where person_id = ${patient.id}::uuid
           union all select 1 from waitlist where patient_id = ${patient.id}::uuid`
    )
    expect(left).toEqual([])
  }
  expect((await rig.harm()).overlaps).toBe(0)
}, 60_000)

test('what a doctor writes about a patient while the erasure of either is handled is refused or erased', async () => {
  for (let nth = 0; nth < 6; nth++) {
    const [practice, patient] = [await rig.doctor({ user: { name: 'Dr. Xavier' } }), await rig.patient({ name: 'Xandre Único' })]
    const writes = await doctorWrites(practice, patient, `Segredo ${nth}`)
    // what a doctor keeps in their own calendar about nobody stays with the doctor
    const about = nth % 2 === 0 ? writes.slice(0, 4) : writes
    const gone = nth % 2 === 0 ? patient : practice
    const answers = await Promise.all([
      ...about.slice(0, 2).map(([, write]) => write()),
      erase(gone),
      ...about.slice(2).map(([, write]) => write())
    ])
    for (const answer of answers) if (answer) expect(answer.status).toBeLessThan(500)
    expect(await traces(nth % 2 === 0 ? /Xandre|Segredo[^"]*/g : /Xavier|Segredo[^"]*/g)).toEqual([])
    expect(await textsAbout(gone)).toEqual([])
    await erase(nth % 2 === 0 ? practice : patient)
  }
}, 60_000)

/** Holds a doctor's row until `release`, so that a booking which has passed every check stands still before it is stored. */
async function stall(doctorId: string) {
  const other = connect(rig.database.url, { name: 'stall', max: 1 })
  const { promise, resolve } = Promise.withResolvers<void>()
  const held = Promise.withResolvers<void>()
  const done = other.begin(async (tx) => {
    await tx.unsafe(`select 1 from doctors where id = '${doctorId}' for update`)
    held.resolve()
    await promise
  })
  await held.promise
  return async () => {
    resolve()
    await done
    await other.end()
  }
}

test.each(['known', 'not known yet'])('a booking that is under way when its patient, %s here, is erased leaves nothing', async (known) => {
  const practice = await rig.doctor()
  const [start] = await rig.slotsOf(practice)
  const patient = await rig.patient({ name: 'Xandre Único' })
  if (known !== 'known') await rig.sql`delete from people where id = ${patient.id}`
  const release = await stall(practice.id)
  const booking = rig.wish(patient, practice, start ?? '', { reason: 'Segredo' })
  await eventually(
    async () =>
      (await rows(rig.sql, SQL`select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%for share%'`)).length > 0
  )
  const erasing = erase(patient)
  await release()
  await erasing
  const answer = await booking
  expect(['201', '401 token_revoked']).toContain(word(answer))
  expect(await traces(/Xandre|Segredo/g)).toEqual([])
  expect(await textsAbout(patient)).toEqual([])
  expect(
    await rows(rig.sql, SQL`select 1 from appointments where patient_id = ${patient.id}::uuid and status in ('requested', 'confirmed')`)
  ).toEqual([])
})

test('an offer of the waitlist that is being made to somebody who is erased is gone as well', async () => {
  for (let nth = 0; nth < 8; nth++) {
    const practice = await rig.doctor()
    const [booked, waiting] = [await rig.patient(), await rig.patient({ name: 'Xandre Único' })]
    const start = (await rig.slotsOf(practice)).at(-1) ?? ''
    const day = start.slice(0, 10)
    const { id } = (await expected(201, rig.wish(booked, practice, start))).body
    await expected(201, rig.call('POST', '/v1/waitlist', { as: waiting, body: { doctorId: practice.id, from: day, to: day } }))
    await Promise.all([rig.act(booked, id, 'cancel', { reason: 'x' }), erase(waiting)])
    expect(await traces(/Xandre/g)).toEqual([])
    expect(await rows(rig.sql, SQL`select 1 from appointments where patient_id = ${waiting.id}::uuid and status = 'held'`)).toEqual([])
  }
})

test('what others wrote about an erased patient goes, in the appointment, its history, its events and kept answers; what they wrote of others stays', async () => {
  const practice = await rig.doctor()
  const [patient, other] = [await rig.patient({ name: 'Xandre Único' }), await rig.patient()]
  const own = await rig.slotsOf(practice)
  const book = async (who: UserSnapshot, start: string | undefined, reason: string) =>
    (await expected(201, rig.wish(who, practice, start ?? '', { reason }))).body.id
  const [declined, cancelled, others] = [
    await book(patient, own[0], 'Segredo do paciente'),
    await book(patient, own[1], 'Segredo do paciente'),
    await book(other, own[2], 'Motivo alheio')
  ]
  await expected(200, rig.act(practice, declined, 'decline', { reason: 'Segredo: sem rosto' }, { 'idempotency-key': 'a' }))
  await expected(200, rig.act(practice, cancelled, 'cancel', { reason: 'Segredo: sem voz' }))
  await expected(200, rig.act(practice, others, 'decline', { reason: 'Congresso' }))
  expect(await textsAbout(patient)).not.toEqual([])
  await erase(patient)
  expect(await traces(/Xandre|Segredo[^"]*/g)).toEqual([])
  expect(await textsAbout(patient)).toEqual([])
  expect((await rig.call('GET', `/v1/appointments/${others}`, { as: other })).body as unknown).toMatchObject({
    reason: 'Motivo alheio',
    statusReason: 'Congresso'
  })
  const history = await rig.call<{ action: string; reason?: string }[]>('GET', `/v1/appointments/${declined}/history`, { as: practice })
  expect(history.body.map(({ action }) => action)).toEqual(['book', 'decline'])
})

test('what a patient wrote about an erased doctor goes, and the patient keeps the own reason for the visit', async () => {
  const practice = await rig.doctor({ user: { name: 'Dr. Xavier' } })
  const patient = await rig.patient()
  const [first, second] = await rig.slotsOf(practice)
  const cancelled = (await expected(201, rig.wish(patient, practice, first ?? '', { reason: 'Dor no joelho' }))).body.id
  const open = (await expected(201, rig.wish(patient, practice, second ?? ''))).body.id
  await expected(200, rig.act(patient, cancelled, 'cancel', { reason: 'Segredo: cheira mal' }, { 'idempotency-key': 'b' }))
  expect(await textsAbout(practice)).not.toEqual([])
  await erase(practice)
  expect(await traces(/Xavier|Segredo[^"]*/g)).toEqual([])
  expect(await textsAbout(practice)).toEqual([])
  const read = await rig.call('GET', `/v1/appointments/${cancelled}`, { as: patient })
  expect(read.body as unknown).toMatchObject({ status: 'cancelled', reason: 'Dor no joelho' })
  // why it was cancelled by the system is about nobody
  expect((await rig.call('GET', `/v1/appointments/${open}`, { as: patient })).body as unknown).toMatchObject({
    statusReason: 'account closed'
  })
})

test('bookings of several people at once go on while others are erased, without deadlocks', async () => {
  const practices = await Promise.all([rig.doctor(), rig.doctor()])
  const people = await Promise.all(Array.from({ length: 12 }, () => rig.patient()))
  const before = (await rig.harm()).deadlocks
  const free = await Promise.all(practices.map((one) => rig.slotsOf(one)))
  const answers = await Promise.all(
    people.flatMap((patient, nth) => [
      ...[0, 1].map((which) =>
        rig.wish(patient, practices[which] as UserSnapshot, free[which]?.[nth + which * 12] ?? '', { replica: nth % 2 })
      ),
      ...(nth % 3 === 0 ? [erase(patient)] : [])
    ])
  )
  for (const [nth, answer] of answers.filter((one) => one !== undefined).entries()) expect([nth, answer.status < 500]).toEqual([nth, true])
  expect({ ...(await rig.harm()), deadlocks: (await rig.harm()).deadlocks - before }).toEqual(none)
})
