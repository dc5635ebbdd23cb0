import { afterAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { Problem } from '../http/problem.ts'
import { registry } from '../setup/metrics.ts'
import { eventually, testDatabase } from '../testing/testing.ts'
import { connect, maybeOne, one, rows, run, transaction } from './db.ts'

const database = await testDatabase('auth')
const owner = connect(database.ownerUrl, { name: 'test', max: 4 })
await owner.unsafe(`create table shelf (id int primary key, on_day date, big bigint, about jsonb, constraint slot_taken unique (big))`)
afterAll(async () => {
  await owner.end({ timeout: 1 })
  await database.close()
})

test('a date stays a day, a bigint is a number, json keeps its own keys, columns are camelCase', async () => {
  await run(
    owner,
    SQL`insert into shelf (id, on_day, big, about) values (1, ${'2027-02-28'}, ${9_007_199_254_740_991}, ${{ snake_case: [1] }})`
  )
  const row = await one<Record<string, unknown>>(owner, SQL`select on_day, big, about from shelf where id = ${1}`)
  expect(row).toEqual({ onDay: '2027-02-28', big: 9_007_199_254_740_991, about: { snake_case: [1] } })
})

test('maybeOne gives undefined for no row, one throws', async () => {
  expect(await maybeOne(owner, SQL`select 1 as x where false`)).toBeUndefined()
  expect(one(owner, SQL`select 1 as x where false`)).rejects.toThrow()
})

test('a constraint that is named after a problem is thrown as that problem, and everything before it is undone', async () => {
  const attempt = transaction(owner, async (tx) => {
    await run(tx, SQL`insert into shelf (id, big) values (2, 5)`)
    await run(tx, SQL`insert into shelf (id, big) values (3, 5)`)
  })
  expect(attempt).rejects.toEqual(new Problem('slot_taken'))
  await attempt.catch(() => {})
  expect(await rows(owner, SQL`select id from shelf where big = 5`)).toEqual([])
})

test('a deadlock is tried again until both have their way', async () => {
  await run(owner, SQL`insert into shelf (id, big) values (10, 10), (11, 11)`)
  let met = 0
  const both = Promise.withResolvers<void>()
  const crosswise = (first: number, second: number) =>
    transaction(owner, async (tx) => {
      await run(tx, SQL`update shelf set on_day = '2027-01-01' where id = ${first}`)
      if (++met === 2) both.resolve()
      await both.promise
      await run(tx, SQL`update shelf set on_day = '2027-01-02' where id = ${second}`)
    })
  await Promise.all([crosswise(10, 11), crosswise(11, 10)])
  expect(met).toBeGreaterThan(2)
})

test("a service's role sees no other schema and cannot change its own tables", async () => {
  for (const statement of [
    'select * from notifier.schema_version',
    'create table mine (x int)',
    'alter table shelf add column y int',
    'drop table shelf'
  ]) {
    expect(database.sql.unsafe(statement)).rejects.toThrow(/permission denied|must be owner/)
  }
})

test('the pool tells how many hold a connection or wait for one', async () => {
  const asked = async () => Number(/healthmed_database_demand (\d+)/.exec(await registry.metrics())?.[1])
  const before = await asked()
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const working = transaction(owner, async (tx) => {
    await run(tx, SQL`select 1`)
    await held
  })
  const reading = rows(owner, SQL`select pg_sleep(0.05)`)
  expect(await asked()).toBe(before + 2)
  release()
  await Promise.all([working, reading])
  expect(await asked()).toBe(before)
})

// the driver's own fault, mended in patches/: unmended, what is asked of a closed connection ends the process
test('a connection whose server went away refuses what it is asked, and the process and its pool live on', async () => {
  const pool = connect(database.url, { name: 'test', max: 2 })
  const held = await pool.reserve()
  const [backend] = await held<{ pid: number }[]>`select pg_backend_pid() as pid`
  await run(pool, SQL`select pg_terminate_backend(${backend?.pid ?? 0}::int)`)
  const codes: string[] = []
  const ask = () => void held`select 1`.catch(({ code }) => codes.push(code))
  await eventually(() => {
    ask()
    return codes.includes('CONNECTION_CLOSED')
  })
  expect(await one<{ yes: number }>(pool, SQL`select 1 as yes`)).toEqual({ yes: 1 })
  await pool.end({ timeout: 1 })
})
