import { afterAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { connect, run } from '../data/db.ts'
import { testDatabase } from '../testing/testing.ts'
import { type Answer, idempotent, purgeIdempotencyKeys } from './idempotency.ts'
import { Problem } from './problem.ts'

const database = await testDatabase('scheduling')
const { sql } = database
const owner = connect(database.ownerUrl, { name: 'test', max: 1 })
await owner.unsafe('create table effect (at timestamptz default now())')
await owner.end({ timeout: 1 })
afterAll(database.close)

const callerId = Bun.randomUUIDv7()
const wish = (key: string | null, body: unknown = { start: 'x' }, caller = callerId) => ({
  callerId: caller,
  key,
  route: '/v1/appointments',
  body
})
const effects = async () => Number((await sql`select count(*) from effect`)[0]?.count)
const act = async (db: Parameters<typeof run>[0]): Promise<Answer> => {
  await run(db, SQL`insert into effect default values`)
  return { status: 201, headers: { location: '/v1/appointments/1' }, body: { id: '1' } }
}
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error: unknown) => (error instanceof Problem ? error.code : String(error))
  )

test('the same key, caller and body act once, and the answer is the first one again', async () => {
  const before = await effects()
  const first = await idempotent(sql, wish('a', { start: 'x', reason: 'y' }), act)
  const second = await idempotent(sql, wish('a', { reason: 'y', start: 'x' }), act)
  expect(first.headers['idempotency-replayed']).toBeUndefined()
  expect(second).toEqual({ ...first, headers: { ...first.headers, 'idempotency-replayed': 'true' } })
  expect(await effects()).toBe(before + 1)
})

test('the same key with another body is refused, with another caller it is another key', async () => {
  expect(await codeOf(idempotent(sql, wish('a', { start: 'z' }), act))).toBe('idempotency_key_reused')
  expect((await idempotent(sql, wish('a', { start: 'z' }, Bun.randomUUIDv7()), act)).status).toBe(201)
})

test('while the first is still running a second is told so', async () => {
  const running = Promise.withResolvers<void>()
  const go = Promise.withResolvers<void>()
  const first = idempotent(sql, wish('b'), async (db) => {
    running.resolve()
    await go.promise
    return act(db)
  })
  await running.promise
  expect(await codeOf(idempotent(sql, wish('b'), act))).toBe('idempotency_in_progress')
  go.resolve()
  expect((await first).status).toBe(201)
})

test('a refusal is answered again as it was, though the state has changed since', async () => {
  const refused = () => idempotent(sql, wish('c'), async () => Promise.reject(new Problem('slot_taken')))
  expect(await codeOf(refused())).toBe('slot_taken')
  const again = await idempotent(sql, wish('c'), act)
  expect(again).toMatchObject({ status: 409, body: { code: 'slot_taken' }, headers: { 'idempotency-replayed': 'true' } })
})

test('a failure of ours is not kept: the client may try again', async () => {
  const before = await effects()
  const broken = idempotent(sql, wish('d'), async (db) => {
    await act(db)
    throw new Error('the power went')
  })
  expect(await codeOf(broken)).toBe('Error: the power went')
  expect(await effects()).toBe(before)
  expect((await idempotent(sql, wish('d'), act)).status).toBe(201)
})

test('without a key every request acts, and a key that is none is refused', async () => {
  const before = await effects()
  await idempotent(sql, wish(null), act)
  await idempotent(sql, wish(null), act)
  expect(await effects()).toBe(before + 2)
  for (const key of ['', 'two words', 'é', 'x'.repeat(256)]) expect(await codeOf(idempotent(sql, wish(key), act))).toBe('validation_failed')
})

test('after 24 h a key is free again', async () => {
  await sql`update idempotency_keys set created_at = now() - interval '25 hours' where key = 'a'`
  expect((await idempotent(sql, wish('a', { start: 'q' }), act)).headers['idempotency-replayed']).toBeUndefined()
  await sql`update idempotency_keys set created_at = now() - interval '25 hours' where key = 'a'`
  const kept = async () => (await sql`select 1 from idempotency_keys where key = 'a'`).length
  const now = Temporal.Now.instant()
  const before = await kept()
  expect(before).toBeGreaterThan(0)
  await purgeIdempotencyKeys(sql, now, 2)
  expect(await kept()).toBe(before)
  await purgeIdempotencyKeys(sql, now.subtract({ hours: 2 }), 1)
  expect(await kept()).toBe(before)
  // two replicas at once
  await Promise.all([purgeIdempotencyKeys(sql, now, 1), purgeIdempotencyKeys(sql, now, 1)])
  expect(await kept()).toBe(0)
})
