import { afterAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { startLine } from '../testing/tcp-proxy.ts'
import { eventually, testDatabase } from '../testing/testing.ts'
import { connect, one, run } from './db.ts'

const database = await testDatabase('auth')
afterAll(database.close)

test('who listens does so at the server itself, and all else goes through the pooler', async () => {
  const url = new URL(database.url)
  const direct = url.host
  const line = await startLine(Number(url.port))
  url.port = String(line.port)
  url.searchParams.set('direct', direct)
  const pool = connect(url.href, { name: 'test', max: 2 })
  const heard: string[] = []
  await pool.listen('news', (word) => heard.push(word))
  line.cut()
  await run(database.sql, SQL`select pg_notify('news', 'heard')`)
  await eventually(() => heard.includes('heard'))
  expect(one(pool, SQL`select 1`)).rejects.toThrow()
  line.heal()
  await pool.end({ timeout: 1 })
  line.stop()
})

test('the bounds of waits hold for a service whatever its connection asks for', async () => {
  const bounds = await one<{ names: string[] }>(
    database.sql,
    SQL`select array_agg(split_part(setting, '=', 1) order by 1) as names from pg_roles, unnest(rolconfig) setting where rolname = 'auth'`
  )
  expect(bounds.names).toEqual(expect.arrayContaining(['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout']))
})
