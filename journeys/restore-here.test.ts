import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import SQL from 'sql-template-strings'
import { connect, rows } from '#platform/data/db'
import { roleUrl } from '#platform/data/provision'
import { DEMO_PASSWORD, demoDoctors, demoPatients } from '../dev/demo-people.ts'
import { readSecrets } from '../dev/secrets.ts'
import { type LocalStart, startHere } from './local-start.ts'
import { startMailbox } from './mailbox.ts'

const root = join(import.meta.dir, '..')
const top = mkdtempSync(join(tmpdir(), 'healthmed-restore-'))
const [live, restored, backups] = [join(top, 'live'), join(top, 'restored'), join(top, 'backups')]
const mailbox = await startMailbox()
const settings = { SMTP_URL: `smtp://127.0.0.1:${mailbox.port}`, DEMO_DATA: 'on', EMAIL_VERIFICATION: 'optional' }
const running: LocalStart[] = []
const [doctor, patient] = [demoDoctors[0]?.email ?? '', demoPatients[0]?.email ?? '']
let system: LocalStart
let booked: { id: string; start: string }
let folder = ''

const logIn = async ({ api }: LocalStart, identifier: string, password = DEMO_PASSWORD) =>
  (await api.want<{ accessToken: string }>('POST', '/v1/auth/login', { body: { identifier, password } })).accessToken

async function ops(words: string[], more: Record<string, string> = {}) {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, DATA_DIR: live, ...more }
  const child = Bun.spawn([process.execPath, 'ops/main.ts', ...words], { cwd: root, env, stdout: 'pipe', stderr: 'pipe' })
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
  return { code, said: `${out}${err}` }
}

beforeAll(async () => {
  system = await startHere(live, settings)
  running.push(system)
  const { items } = await system.api.want<{ items: { id: string }[] }>(
    'GET',
    `/v1/doctors?q=${encodeURIComponent(demoDoctors[0]?.name ?? '')}`
  )
  const { slots } = await system.api.want<{ slots: { start: string }[] }>('GET', `/v1/doctors/${items[0]?.id}/slots`)
  const body = { doctorId: items[0]?.id, start: slots.at(-1)?.start, reason: 'rotina' }
  booked = await system.api.want('POST', '/v1/appointments', { token: await logIn(system, patient), body })
  await system.api.want('POST', `/v1/appointments/${booked.id}/confirm`, { token: await logIn(system, doctor) })
  expect(await ops(['backup', backups])).toMatchObject({ code: 0 })
  folder = join(backups, readdirSync(backups).find((name) => name.startsWith('healthmed-')) ?? '')
}, 180_000)
afterAll(async () => {
  await Promise.all(running.map(({ stop }) => stop()))
  await mailbox.stop()
  rmSync(top, { recursive: true, force: true })
}, 60_000)

/** What the running system has, which no restore may touch. */
async function liveState() {
  const { adminUrl, database } = system.local()
  const sql = connect(roleUrl(adminUrl, database), { name: 'test', max: 1 })
  const found = await rows(
    sql,
    SQL`select (select count(*) from auth.users) as users, (select count(*) from scheduling.appointments) as appointments,
    (select array_agg(rolname || rolpassword order by rolname) from pg_authid where rolcanlogin) as roles,
    (select array_agg(datname::text order by datname) from pg_database) as databases`
  )
  await sql.end({ timeout: 1 })
  return { found, secrets: readFileSync(join(live, 'secrets.json'), 'utf8'), files: readdirSync(top).sort() }
}

test('what is not right is refused before anything is touched, with what to do', async () => {
  const before = await liveState()
  const refused = async (words: string[], why: RegExp, more: Record<string, string> = {}) => {
    const { code, said } = await ops(words, more)
    expect([code, said]).toEqual([1, expect.stringMatching(why)])
    expect(said).not.toMatch(/\bat .*\.ts:\d+/)
  }
  await refused(['restore', folder, '--into', live], /not empty.*--into DIR.*Nothing was changed/s)
  await refused(['restore', backups], /is not a backup/)
  await refused(['restore', folder, '--secrets', join(top, 'nowhere.json')], /nowhere\.json is not there.*--secrets FILE/s)
  // another machine, where nothing is yet
  await refused(['restore', folder], /secrets\.json is not there/, { DATA_DIR: join(top, 'new') })
  const foreign = { ...readSecrets(live), encryptionKey: 'ab'.repeat(32) }
  writeFileSync(join(top, 'foreign.json'), JSON.stringify(foreign))
  await refused(['restore', folder, '--into', restored, '--secrets', join(top, 'foreign.json')], /does not belong to this backup/)
  expect(readdirSync(restored)).toEqual([])
  rmSync(join(top, 'foreign.json'))
  rmSync(restored, { recursive: true })
  expect((await ops(['restore'])).code).toBe(64)
  expect(await liveState()).toEqual(before)
  expect(await system.api.want('GET', '/health')).toMatchObject({ status: 'up' })
}, 180_000)

test('a backup is restored beside the running system, started there, and has its people and appointments', async () => {
  const before = await liveState()
  const { code, said } = await ops(['restore', folder, '--into', restored])
  expect([code, said]).toEqual([0, expect.stringContaining('What to do next')])
  for (const step of ['Backup checked', 'Database, roles, schemas', 'Rows', 'Newer migrations', 'The encryption key opens'])
    expect(said).toContain(`✓ ${step}`)
  expect(said).toContain(`DATA_DIR=${restored}`)
  expect(said).toContain(join(live, 'secrets.json'))
  expect(statSync(join(restored, 'secrets.json')).mode & 0o077).toBe(0)
  expect(await liveState()).toEqual({ ...before, files: [...before.files, 'restored'].sort() })
  expect(await ops(['restore', folder, '--into', restored])).toMatchObject({ code: 1, said: expect.stringContaining('not empty') })

  const mails = mailbox.mails.length
  const copy = await startHere(restored, settings)
  running.push(copy)
  expect(copy.said()).toContain('there already')
  const token = await logIn(copy, patient)
  expect(await copy.api.want('GET', `/v1/appointments/${booked.id}`, { token })).toMatchObject({
    status: 'confirmed',
    reason: 'rotina',
    start: booked.start
  })
  await logIn(copy, 'admin@healthmed.example', readSecrets(restored)?.adminPassword)
  // one who changes something in the copy changes nothing in the other
  await copy.api.want('POST', `/v1/appointments/${booked.id}/cancel`, { token, body: { reason: 'só na cópia' } })
  const mine = await system.api.want('GET', `/v1/appointments/${booked.id}`, { token: await logIn(system, patient) })
  expect(mine).toMatchObject({ status: 'confirmed' })
  await mailbox.mailTo(patient, /cancelada/i)
  // nothing from before the restore leaves again: two cancellation mails, and no other
  expect(mailbox.mails.slice(mails).every(({ subject }) => /cancelada/i.test(subject))).toBe(true)
}, 180_000)

test('beside a server that is given by POSTGRES_URL it makes a database of its own there', async () => {
  const { adminUrl, database } = system.local()
  const before = await liveState()
  const place = { POSTGRES_URL: roleUrl(adminUrl, database) }
  const into = join(top, 'given')
  mkdirSync(into)
  expect(await ops(['restore', folder, '--into', into, '--database', database], place)).toMatchObject({
    code: 1,
    said: expect.stringContaining('--database NAME')
  })
  const { code, said } = await ops(['restore', folder, '--into', into], place)
  expect([code, said]).toEqual([0, expect.stringContaining(`/${database}_restored`)])
  expect(readdirSync(into).sort()).toEqual(['demo-data.json', 'secrets.json'])
  const sql = connect(roleUrl(adminUrl, `${database}_restored`), { name: 'test', max: 1 })
  expect(await rows(sql, SQL`select id from scheduling.appointments`)).toEqual([{ id: booked.id }])
  await sql.end({ timeout: 1 })
  const after = await liveState()
  expect(after.secrets).toBe(before.secrets)
  // the roles are those of the running system, and still let it in
  expect(await system.api.want('GET', '/health')).toMatchObject({ status: 'up' })
  await logIn(system, patient)
}, 120_000)
