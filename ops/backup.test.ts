import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import SQL from 'sql-template-strings'
import { connect, one, rows, run } from '#platform/data/db'
import { migrate } from '#platform/data/migrate'
import { type Passwords, provision, roles, roleUrl, type Schema, schemas } from '#platform/data/provision'
import { eventually, testDatabase, testPassword } from '#platform/testing/testing'
import { backup } from './backup.ts'
import { migrateUp, standings } from './migrations.ts'
import type { Place } from './place.ts'
import { quiet, restore } from './restore.ts'

const source = await testDatabase('notifier')
const dir = mkdtempSync(join(tmpdir(), 'healthmed-backup-'))
const passwords = Object.fromEntries(roles.map((role) => [role, testPassword]))
const server = process.env.TEST_POSTGRES_URL ?? ''
const place: Place = { adminUrl: server, database: source.name, passwords }
const admin = connect(roleUrl(server, source.name), { name: 'test', max: 4 })
const scheduling = connect(source.urlOf('scheduling'), { name: 'test', max: 2 })
const connectedAuth = connect(source.urlOf('auth'), { name: 'test', max: 1 })
const made: string[] = []
const emptyPlace = (): Place => {
  const database = `restored_${crypto.randomUUID().slice(0, 8)}`
  made.push(database)
  return { ...place, database }
}
const now = Temporal.Now.instant()
const before = now.subtract({ minutes: 5 })
const date = (instant: Temporal.Instant) => new Date(instant.epochMilliseconds)

afterAll(async () => {
  for (const database of made) await admin.unsafe(`drop database if exists "${database}" with (force)`)
  await admin.end({ timeout: 2 })
  await scheduling.end({ timeout: 2 })
  await connectedAuth.end({ timeout: 2 })
  await source.close()
  rmSync(dir, { recursive: true })
})

const [person, doctor, appointment] = [Bun.randomUUIDv7(), Bun.randomUUIDv7(), Bun.randomUUIDv7()]
const mail = (status: string, at: Temporal.Instant) => SQL`
  insert into notifier.mails (id, event_id, event_type, event_at, template, recipient_id, data, request_id, traceparent, status, due_at, created_at)
  values (${Bun.randomUUIDv7()}, ${Bun.randomUUIDv7()}, 'x', ${date(at)}, 'verify_email', ${person}, '{}', 'r', 't', ${status}, ${date(at)}, ${date(at)})`
await run(
  scheduling,
  SQL`insert into scheduling.people values (${person}, 'patient', ${'Zoë\tde "Sá"\nLima \\ Cruz'}, true, false, false, 1)`
)
await run(
  scheduling,
  SQL`insert into scheduling.doctors (id, name, name_folded, rules) values (${doctor}, 'Ana', 'ana', '[{"weekday":1}]')`
)
await run(
  scheduling,
  SQL`insert into scheduling.appointments (id, doctor_id, patient_id, patient_name, status, during, doctor_during, timezone, price_amount, price_currency, created_at, updated_at)
      values (${appointment}, ${doctor}, ${person}, 'Zoë', 'confirmed', '[2031-01-06 11:00Z,2031-01-06 12:00Z)', '[2031-01-06 11:00Z,2031-01-06 12:10Z)', 'UTC', 1, 'BRL', now(), now())`
)
await run(
  scheduling,
  SQL`insert into scheduling.history (appointment_id, doctor_id, patient_id, at, actor_role, action, to_status, version)
      select ${appointment}, ${doctor}, ${person}, now(), 'patient', 'book', 'requested', n from generate_series(1, 50) n`
)
// more than a socket's buffer holds, so that the copy of a table has to be held back
await run(
  connectedAuth,
  SQL`insert into audit (at, action, request_id) select now(), repeat('x', 500), n::text from generate_series(1, 4000) n`
)
for (const status of ['pending', 'sending', 'sent', 'failed']) await run(source.sql, mail(status, before))
const { folder, manifest } = await backup(place, dir)
const target = emptyPlace()
const outcome = await restore(target, folder, now)
const restored = connect(roleUrl(server, target.database), { name: 'test', max: 2 })
const restoredMails = connect(roleUrl(server, target.database, 'notifier', testPassword), { name: 'test', max: 2 })
const restoredVisits = connect(roleUrl(server, target.database, 'scheduling', testPassword), { name: 'test', max: 2 })
afterAll(() => Promise.all([restored, restoredMails, restoredVisits].map((sql) => sql.end({ timeout: 2 }))))

test('every table of every schema comes back row by row, whatever the text holds', async () => {
  expect(manifest.tables.length).toBeGreaterThan(20)
  for (const { schema, name, columns } of manifest.tables) {
    if (name === 'mails' || name === 'restores') continue
    const all = `select md5(coalesce(string_agg(t::text, ',' order by t::text), '')) as digest from (select ${columns.join(', ')} from ${schema}.${name}) t`
    expect(await restored.unsafe(all)).toEqual(await admin.unsafe(all))
  }
  expect(await one(restored, SQL`select name from scheduling.people`)).toEqual({ name: 'Zoë\tde "Sá"\nLima \\ Cruz' })
})

test('numbers go on where they ended, and the order of live changes is kept on a server that counts transactions anew', async () => {
  const { seq } = await one<{ seq: number }>(
    restoredVisits,
    SQL`insert into scheduling.history (appointment_id, doctor_id, patient_id, at, actor_role, action, to_status, version)
        values (${appointment}, ${doctor}, ${person}, now(), 'doctor', 'confirm', 'confirmed', 51) returning seq`
  )
  expect(seq).toBe(51)
  const ordered = await rows<{ seq: number }>(restored, SQL`select seq from scheduling.history order by tx, seq`)
  expect(ordered.map((row) => row.seq)).toEqual(Array.from({ length: 51 }, (_, index) => index + 1))
})

test('no mail that may have left is sent again: neither what waited nor what an older event makes now', async () => {
  expect(outcome.mailsHeld).toBe(2)
  await run(restoredMails, mail('pending', before))
  await run(restoredMails, mail('pending', now.add({ seconds: 5 })))
  const states = await rows<{ status: string; count: number }>(
    restored,
    SQL`select status, count(*) as count from notifier.mails group by status order by status`
  )
  expect(states).toEqual([
    { status: 'failed', count: 4 },
    { status: 'pending', count: 1 },
    { status: 'sent', count: 1 }
  ])
})

const ownerOf = (schema: Schema, { database }: Place) => roleUrl(server, database, `${schema}_owner`, testPassword)
/** A place whose notifier is as it was before restores were noted. */
async function beforeRestores(): Promise<Place> {
  const old = emptyPlace()
  await provision(server, { database: old.database, passwords: passwords as Passwords })
  for (const schema of schemas) await migrate(ownerOf(schema, old), schema, schema === 'notifier' ? 1 : undefined)
  return old
}

test('mails are held with the rows: a newer migration that fails lets none leave, says how to go on, and going on works', async () => {
  const old = await beforeRestores()
  const oldMails = connect(ownerOf('notifier', old), { name: 'test', max: 1 })
  await run(oldMails, mail('pending', before))
  await oldMails.end({ timeout: 2 })
  const { folder: ofOld } = await backup(old, dir)

  const place = emptyPlace()
  await provision(server, { database: place.database, passwords: passwords as Passwords })
  const owner = connect(ownerOf('notifier', place), { name: 'test', max: 1 })
  await owner.unsafe('create function told_before_restore() returns int language sql as $$ select 1 $$')
  const failure = await restore(place, ofOld, now).catch((error: Error) => error.message)
  expect(failure).toContain('The migrations of notifier cannot go on')
  expect(failure).toContain('`ops migrate up` and `ops quiet`')
  const states = SQL`select status, count(*) as count from notifier.mails group by status`
  expect(await rows(owner, states)).toEqual([{ status: 'failed', count: 1 }])

  await owner.unsafe('drop function told_before_restore()')
  expect(await migrateUp(place)).toContainEqual(expect.stringContaining('002.do.restores'))
  await quiet(place, now)
  await run(owner, mail('pending', before))
  expect(await rows(owner, states)).toEqual([{ status: 'failed', count: 2 }])
  await owner.end({ timeout: 2 })
})

test('a backup from before restores were noted comes back quiet as well', async () => {
  const old = await beforeRestores()
  const { folder: ofOld } = await backup(old, dir)
  const place = emptyPlace()
  await restore(place, ofOld, now)
  const owner = connect(ownerOf('notifier', place), { name: 'test', max: 1 })
  await run(owner, mail('pending', before))
  expect(await rows(owner, SQL`select status from notifier.mails`)).toEqual([{ status: 'failed' }])
  await owner.end({ timeout: 2 })
})

test('a database that came back by other means is made quiet the same way', async () => {
  await run(restoredMails, mail('pending', now.add({ seconds: 10 })))
  expect((await quiet(target, now.add({ seconds: 20 }))).mailsHeld).toBe(2)
  const { count } = await one<{ count: number }>(restored, SQL`select count(*) as count from notifier.mails where status = 'pending'`)
  expect(count).toBe(0)
})

test('the restored database serves: roles may what they may, and no more', async () => {
  expect((await rows(restoredMails, SQL`select id from mails`)).length).toBeGreaterThan(0)
  expect(run(restoredMails, SQL`select * from auth.users`)).rejects.toThrow('permission denied')
  expect(run(restoredMails, SQL`delete from restores`)).rejects.toThrow('permission denied')
})

test('a backup does not come back over people who are there, and nothing of it stays', async () => {
  expect(restore(place, folder, now)).rejects.toThrow('not empty')
})

test('a damaged or incomplete backup is refused before anything is touched', async () => {
  const { folder: copy } = await backup(place, dir)
  const file = join(copy, 'scheduling.people.copy.gz')
  const good = readFileSync(file)
  writeFileSync(file, good.subarray(0, good.length - 3))
  expect(restore(emptyPlace(), copy, now)).rejects.toThrow('damaged')
  rmSync(file)
  expect(restore(emptyPlace(), copy, now)).rejects.toThrow('missing')
})

test('a backup is one instant: what is written meanwhile is either whole in it or not at all', async () => {
  let stopped = false
  let written = 0
  const writing = (async () => {
    for (let n = 100; !stopped; n++) {
      await scheduling.begin(async (tx) => {
        await run(tx, SQL`update scheduling.people set version = ${n} where id = ${person}`)
        await run(tx, SQL`update scheduling.doctors set schedule_version = ${n} where id = ${doctor}`)
      })
      written = n
    }
  })()
  await eventually(() => written > 110)
  const { folder: moving } = await backup(place, dir)
  stopped = true
  await writing
  const where = emptyPlace()
  await restore(where, moving, now)
  const sql = connect(roleUrl(server, where.database), { name: 'test', max: 1 })
  const pair = await one<{ person: number; doctor: number }>(
    sql,
    SQL`select (select version from scheduling.people) as person, (select schedule_version from scheduling.doctors) as doctor`
  )
  expect(pair.person).toBe(pair.doctor)
  expect(pair.person).toBeGreaterThanOrEqual(100)
  await sql.end({ timeout: 2 })
})

test('only the newest are kept, only their owner reads them, and monitoring learns the instant of the last', async () => {
  await backup(place, dir, { keep: 2 })
  const kept = readdirSync(dir).filter((name) => name.startsWith('healthmed-'))
  expect(kept.length).toBe(2)
  expect(statSync(join(dir, kept[1] ?? '')).mode & 0o077).toBe(0)
  const seconds = Number(/^healthmed_backup_finished_seconds (\S+)$/m.exec(readFileSync(join(dir, 'healthmed_backup.prom'), 'utf8'))?.[1])
  expect(Math.abs(seconds - Date.now() / 1000)).toBeLessThan(60)
})

test('migrate status tells what waits, and up runs it', async () => {
  expect((await standings(place)).every(({ waiting }) => waiting.length === 0)).toBe(true)
  const fresh = emptyPlace()
  await admin.unsafe(`create database "${fresh.database}"`)
  expect((await standings(fresh)).every(({ version, waiting }) => version === 0 && waiting.length > 0)).toBe(true)
  expect(migrateUp({ ...fresh, passwords: {} })).rejects.toThrow('AUTH_OWNER_PASSWORD')
})
