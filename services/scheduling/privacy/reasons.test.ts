import { afterAll, beforeAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { connect, rows, run } from '#platform/data/db'
import { openKeyRing, rotateKeys } from '#platform/data/key-ring'
import { manageKeys } from '#platform/data/manage-keys'
import { resealBatch } from '#platform/data/reseal'
import { sealOfSetting } from '#platform/data/seal'
import { statusReasonContext } from '#platform/events/events'
import { expected, type Rig, startRig } from '../testing/testing.ts'
import { useKeys } from './reasons.ts'
import { keptSealed, sealedTables } from './tables.ts'

const KEY = 'b1'.repeat(32)
const EVENT_KEY = 'b2'.repeat(32)
let rig: Rig
beforeAll(async () => {
  rig = await startRig()
})
afterAll(() => rig?.stop())

/** Every row of every table of the service, as text. */
async function everything(): Promise<string> {
  const tables = await rows<{ name: string }>(rig.sql, SQL`select tablename as name from pg_tables where schemaname = 'scheduling'`)
  const dumps = await Promise.all(tables.map(({ name }) => rig.sql.unsafe(`select to_jsonb(t)::text as row from "${name}" t`)))
  return JSON.stringify(dumps)
}
type Texts = { id: string; reason?: string; statusReason?: string }
const read = async (who: { id: string }, id: string) => (await rig.call<Texts>('GET', `/v1/appointments/${id}`, { as: who })).body
const historyOf = async (who: { id: string }, id: string) =>
  (await rig.call<{ reason?: string }[]>('GET', `/v1/appointments/${id}/history`, { as: who })).body.flatMap(({ reason }) => reason ?? [])
const words = (what: string) => `${what} ção ${crypto.randomUUID()}`

/** An appointment that was booked with a reason and cancelled with another, each said twice with its idempotency key. */
async function cancelled() {
  const [doctor, patient] = [await rig.doctor(), await rig.patient()]
  const [reason, statusReason] = [words('HIV'), words('Cirurgia')]
  const start = (await rig.slotsOf(doctor)).at(-1) ?? ''
  const wish = () => rig.wish(patient, doctor, start, { reason, headers: { 'idempotency-key': 'book' } })
  const { id } = (await expected(201, wish())).body
  const cancel = () => rig.act(patient, id, 'cancel', { reason: statusReason }, { 'idempotency-key': 'cancel' })
  await expected(200, cancel())
  return { doctor, patient, id, reason, statusReason, wish, cancel }
}

test('no table holds the reasons of patient and doctor in clear, and both parties read them as they were written', async () => {
  const { doctor, patient, id, reason, statusReason, wish, cancel } = await cancelled()
  const closed = words('Férias por depressão')
  const exception = { kind: 'closed', from: '2027-02-01', to: '2027-02-02', reason: closed }
  const made = (await rig.call<Texts>('POST', '/v1/doctors/me/exceptions', { as: doctor, body: exception })).body
  const held = (await rig.slotsOf(doctor)).at(-2) ?? ''
  const { id: holdId } = (await expected(201, rig.call('POST', '/v1/holds', { as: patient, body: { doctorId: doctor.id, start: held } })))
    .body
  const ofHold = words('Gravidez')
  const second = (await expected(201, rig.wish(patient, doctor, held, { holdId, reason: ofHold }))).body.id
  const declined = words('Sem vaga')
  await expected(200, rig.act(doctor, second, 'decline', { reason: declined }))

  const stored = await everything()
  for (const text of [reason, statusReason, closed, ofHold, declined]) expect(stored).not.toContain(text.slice(-36))
  for (const who of [doctor, patient]) {
    expect(await read(who, id)).toMatchObject({ reason, statusReason })
    expect(await read(who, second)).toMatchObject({ reason: ofHold, statusReason: declined })
    expect(await historyOf(who, id)).toEqual([statusReason])
  }
  expect(made.reason).toBe(closed)
  const exceptions = await rig.call<{ items: Texts[] }>('GET', '/v1/doctors/me/exceptions', { as: doctor })
  expect(exceptions.body.items.map((item) => item.reason)).toEqual([closed])
  const exported = await rig.call<object>('GET', `/internal/people/${doctor.id}/export`, { as: doctor })
  expect(exported.body).toMatchObject({ exceptions: [{ reason: closed }] })
  expect(exported.text).toContain(statusReason)
  // said again, the same answers
  const again = [await wish(), await cancel()] as unknown as { body: Texts; headers: Headers }[]
  expect(again.map(({ headers }) => headers.get('idempotency-replayed'))).toEqual(['true', 'true'])
  expect(again.map(({ body }) => [body.reason, body.statusReason])).toEqual([
    [reason, undefined],
    [reason, statusReason]
  ])
})

test('an event has the reason of a change for the notifier alone, and never that of the visit', async () => {
  const { id, reason, statusReason } = await cancelled()
  const told = await rows<{ data: { statusReason: null; sealedStatusReason: string } }>(
    rig.sql,
    SQL`select data from outbox where subject = ${id}::uuid and type = 'healthmed.appointment.cancelled.v1'`
  )
  const [{ data } = { data: { statusReason: null, sealedStatusReason: '' } }] = told
  expect(data.statusReason).toBeNull()
  expect(sealOfSetting(EVENT_KEY).open(data.sealedStatusReason, statusReasonContext(id))).toBe(statusReason)
  expect(() => sealOfSetting(EVENT_KEY).open(data.sealedStatusReason, statusReasonContext(Bun.randomUUIDv7()))).toThrow()
  expect(JSON.stringify(told)).not.toContain(reason)
})

test('a sealed reason that is moved to another appointment, or changed, is not shown, and takes no list with it', async () => {
  const [one, other] = [await cancelled(), await cancelled()]
  await run(
    rig.sql,
    SQL`update appointments set reason = (select reason from appointments where id = ${other.id}), status_reason = left(status_reason, -2) || 'AA'
         where id = ${one.id}`
  )
  const body = await read(one.patient, one.id)
  expect([body.id, body.reason, body.statusReason]).toEqual([one.id, undefined, undefined])
  await run(rig.sql, SQL`update appointments set reason = null, status_reason = null where id = ${one.id}`)
})

test('reasons that an earlier release stored in clear are read as they are, and sealed in the background, by any replica', async () => {
  const { patient, doctor, id } = await cancelled()
  await run(rig.sql, SQL`update appointments set reason = 'Antigo um', status_reason = 'sealed: Antigo dois' where id = ${id}`)
  await run(rig.sql, SQL`update history set reason = 'Antigo três' where appointment_id = ${id} and reason is not null`)
  await run(
    rig.sql,
    SQL`insert into exceptions (id, doctor_id, kind, from_date, to_date, reason, created_at)
        values (${Bun.randomUUIDv7()}, ${doctor.id}, 'closed', '2027-03-01', '2027-03-01', 'Antigo quatro', now())`
  )
  const told = async () => [await read(patient, id), await historyOf(patient, id)]
  const before = await told()
  expect(before).toMatchObject([{ reason: 'Antigo um', statusReason: 'sealed: Antigo dois' }, ['Antigo três']])
  const replicas = await Promise.all([1, 2].map(() => openKeyRing(rig.sql, KEY, () => rig.now)))
  const work = async (ring: (typeof replicas)[number]) => {
    for (const target of sealedTables) while (await resealBatch(rig.sql, ring, target, rig.now)) {}
  }
  await Promise.all(replicas.map(work))
  await work(replicas[0] as (typeof replicas)[number])
  for (const ring of replicas) ring.stop()
  expect((await everything()).match(/Antigo \w+/g) ?? []).toEqual([])
  expect(await told()).toEqual(before)
})

test('rows without a reason cost nothing: many of them are passed by in one go', async () => {
  const doctor = await rig.doctor()
  await run(
    rig.sql,
    SQL`insert into exceptions (id, doctor_id, kind, from_date, to_date, created_at)
        select gen_random_uuid(), ${doctor.id}, 'closed', '2027-03-01', '2027-03-01', now() from generate_series(1, 500)`
  )
  const ring = await openKeyRing(rig.sql, 'e5'.repeat(32), () => rig.now)
  ring.stop()
  const exceptions = sealedTables.find(({ table }) => table === 'exceptions')
  if (!exceptions) throw new Error('there is no such table')
  await run(rig.sql, SQL`delete from exceptions where reason is not null`)
  expect(await resealBatch(rig.sql, ring, exceptions, rig.now)).toBe(false)
  await run(rig.sql, SQL`delete from exceptions`)
})

test('keys change while the service runs: the old and the new open, all is sealed anew, and only then the old one can go', async () => {
  const { patient, id, reason, statusReason } = await cancelled()
  const told = async () => [await read(patient, id), await historyOf(patient, id)]
  const before = await told()
  expect(before).toMatchObject([{ reason, statusReason }, [statusReason]])
  const said: string[] = []
  const keys = (command: string, now = rig.now) => manageKeys(rig.sql, KEY, keptSealed, command, now, (line) => said.push(line))
  const ring = await openKeyRing(rig.sql, KEY, () => rig.now)
  useKeys(ring, sealOfSetting(EVENT_KEY))
  const first = ring.current()
  try {
    for (let nth = 1; nth <= 2; nth++) {
      await cancelled()
      expect(await keys('rotate')).toBe(true)
      await ring.refresh()
      // not yet: a replica may not know it
      const old = ring.current()
      rig.pass({ minutes: 2 })
      expect(ring.current()).not.toBe(old)
      expect(await told()).toEqual(before)
      const newer = await cancelled()
      expect(await everything()).toContain(`sealed:${ring.current()}.`)
      expect(await keys('retire')).toBe(false)
      expect(said.splice(0).join()).toContain('is still needed')
      for (const target of sealedTables) while (await resealBatch(rig.sql, ring, target, rig.now)) {}
      expect(await told()).toEqual(before)
      expect(await read(newer.patient, newer.id)).toMatchObject({ reason: newer.reason })
      // answers to idempotency keys go by themselves
      expect(await keys('retire')).toBe(false)
      expect(said.splice(0).join()).toContain('idempotency_keys')
      await run(rig.sql, SQL`delete from idempotency_keys`)
      expect(await keys('retire')).toBe(true)
      expect((await everything()).includes(`sealed:${old}.`)).toBe(false)
    }
    // a process that starts now opens everything with ENCRYPTION_KEY alone, as one does on a restored backup
    const anew = await openKeyRing(rig.sql, KEY, () => rig.now)
    anew.stop()
    useKeys(anew, sealOfSetting(EVENT_KEY))
    expect(await told()).toEqual(before)
    expect(anew.current()).not.toBe(first)
  } finally {
    ring.stop()
  }
})

test('ENCRYPTION_KEY itself can be exchanged: both are given, keys are rotated, and the old one is taken away', async () => {
  const [old, next] = [KEY, 'd4'.repeat(32)]
  await rotateKeys(rig.sql, `${next},${old}`, rig.now)
  rig.pass({ minutes: 2 })
  const ring = await openKeyRing(rig.sql, `${next},${old}`, () => rig.now)
  useKeys(ring, sealOfSetting(EVENT_KEY))
  const { patient, id, reason } = await cancelled()
  for (const target of sealedTables) while (await resealBatch(rig.sql, ring, target, rig.now)) {}
  ring.stop()
  const anew = await openKeyRing(rig.sql, next, () => rig.now)
  anew.stop()
  useKeys(anew, sealOfSetting(EVENT_KEY))
  expect(await read(patient, id)).toMatchObject({ reason })
  await expect(openKeyRing(rig.sql, old, () => rig.now)).rejects.toThrow('is not known here')
})

test('an erasure takes the sealed reasons as well, where they stand', async () => {
  const { patient, doctor, id } = await cancelled()
  const sealedOf = async () => {
    const [row] = await rows<{ sealed: number }>(
      rig.sql,
      SQL`select (select count(*) from appointments where id = ${id} and coalesce(reason, status_reason) is not null)
               + (select count(*) from history where appointment_id = ${id} and reason is not null)
               + (select count(*) from outbox where subject = ${id} and coalesce(data->>'statusReason', data->>'sealedStatusReason') is not null)
               + (select count(*) from idempotency_keys where body->>'id' = ${id}) as sealed`
    )
    return row?.sealed
  }
  expect(await sealedOf()).toBe(5)
  await rig.tell('healthmed.user.erased.v1', { id: patient.id, role: 'patient', version: 9 })
  expect(await sealedOf()).toBe(0)
  expect(await read(doctor, id)).not.toMatchObject({ reason: expect.any(String) })
})

test('the service may write history and never change or delete it, but for its texts, which an erasure takes', async () => {
  await cancelled()
  const service = connect(rig.database.url, { name: 'test', max: 1 })
  const refusal = (statement: string) =>
    service.unsafe(statement).then(
      () => 'done',
      (error: Error) => error.message
    )
  try {
    const columns = [
      'tx',
      'appointment_id',
      'doctor_id',
      'patient_id',
      'at',
      'actor_id',
      'actor_role',
      'action',
      'from_status',
      'to_status',
      'version'
    ]
    const changes = columns.map((column) => `update history set "${column}" = "${column}"`)
    for (const statement of [
      ...changes,
      'delete from history',
      'truncate history',
      'drop table history',
      'alter table history disable trigger all'
    ])
      expect([statement, await refusal(statement)]).toEqual([statement, expect.stringMatching(/permission denied|must be owner/)])
    expect(await refusal('update history set reason = null where false')).toBe('done')
  } finally {
    await service.end()
  }
})
