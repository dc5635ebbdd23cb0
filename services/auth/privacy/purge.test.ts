import { afterAll, beforeAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { connect, one, run } from '#platform/data/db'
import { type Rig, rigOf } from '../testing/testing.ts'
import { purge } from './purge.ts'

let rig: Rig
beforeAll(async () => {
  rig = await rigOf()
})
afterAll(() => rig?.stop())

const retention = { auditDays: 1826 }
const write = (action: string, daysAgo: number) =>
  run(rig.sql, SQL`insert into audit (at, action, request_id) values (now() - make_interval(days => ${daysAgo}::int), ${action}, 'r')`)
const left = async (action: string) =>
  (await one<{ left: number }>(rig.sql, SQL`select count(*) as left from audit where action = ${action}`)).left

test('an entry of the audit trail goes after five years and not before, however many there are', async () => {
  // entries come in the order of time
  const owner = connect(rig.database.ownerUrl, { name: 'test', max: 1 })
  await run(owner, SQL`delete from audit`)
  await run(
    owner,
    SQL`insert into audit (at, action, request_id) select now() - interval '1827 days', 'old', 'r' from generate_series(1, 2500)`
  )
  await owner.end()
  await write('kept', 1825)
  await write('kept', 0)
  const now = Temporal.Now.instant()
  await Promise.all([purge(rig.sql, now, retention), purge(rig.sql, now, retention)])
  expect([await left('old'), await left('kept')]).toEqual([0, 2])
  await purge(rig.sql, now.add({ hours: 48 }), retention)
  expect(await left('kept')).toBe(1)
})

test('the service cannot shorten the trail: it may neither delete nor change, and no setting takes what is younger than a year', async () => {
  await write('recent', 364)
  await purge(rig.sql, Temporal.Now.instant(), { auditDays: 0 })
  expect(await left('recent')).toBe(1)
  for (const statement of [`delete from audit`, `update audit set action = 'x'`, 'truncate audit'])
    await expect(rig.sql.unsafe(statement)).rejects.toThrow('permission denied')
})
