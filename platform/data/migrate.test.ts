import { afterAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { eventually, testPassword } from '../testing/testing.ts'
import { connect, one, run } from './db.ts'
import { migrate } from './migrate.ts'
import { type Passwords, provision, roles, roleUrl } from './provision.ts'

const server = process.env.TEST_POSTGRES_URL ?? ''
const database = `migrate_${crypto.randomUUID().slice(0, 8)}`
const admin = connect(server, { name: 'test', max: 1 })
await admin.unsafe(`create database "${database}"`)
const owner = roleUrl(server, database, 'notifier_owner', testPassword)
await provision(server, { database, passwords: Object.fromEntries(roles.map((role) => [role, testPassword])) as Passwords })
const sql = connect(owner, { name: 'test', max: 4, statementTimeoutMs: 30_000 })
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await admin.unsafe(`drop database "${database}" with (force)`)
  await admin.end({ timeout: 1 })
})

test('a migration waits for no table longer than its neighbours can bear, and comes through when the table is free', async () => {
  expect(await migrate(owner, 'notifier', 1)).toEqual([expect.stringContaining('001.do')])
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const busy = sql.begin(async (tx) => {
    await tx.unsafe('lock table mails in row exclusive mode')
    await held
  })
  const migrating = migrate(owner, 'notifier')
  const waits = SQL`select exists (select 1 from pg_stat_activity where application_name = 'migrate notifier' and wait_event_type = 'Lock') as yes`
  await eventually(async () => (await one<{ yes: boolean }>(sql, waits)).yes)
  const since = performance.now()
  await run(sql, SQL`update mails set attempts = 0`)
  expect(performance.now() - since).toBeLessThan(4_000)
  release()
  await busy
  expect(await migrating).toContainEqual(expect.stringContaining('002.do'))
})

test('many replicas that migrate at once do the work once', async () => {
  const ran = await Promise.all(Array.from({ length: 4 }, () => migrate(owner, 'notifier')))
  expect(ran.flat()).toEqual([])
})
