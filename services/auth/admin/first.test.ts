import { afterAll, beforeEach, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { connect, rows, run } from '#platform/data/db'
import { passwordsOf } from '../passwords/hash.ts'
import { ADMIN, PASSWORD, rigOf } from '../testing/testing.ts'
import { manageAdmins } from './by-hand.ts'
import { makeFirstAdmin } from './first.ts'

const rig = await rigOf()
const { sql } = rig
const owner = connect(rig.database.adminUrl, { name: 'test', max: 1 })
const passwords = await passwordsOf({ memoryKib: 256, passes: 1 })
const needs = { sql, seal: rig.seal, passwords }
const now = () => Temporal.Instant.from('2027-01-04T12:00:00Z')
afterAll(async () => {
  await owner.end({ timeout: 1 })
  await rig.stop()
})
beforeEach(async () => {
  await run(owner, SQL`delete from auth.users`)
})

const first = (email = ADMIN.email, password = ADMIN.password) => makeFirstAdmin(sql, passwords, { email, password }, now())
const admins = async () =>
  (await rows<{ email: string }>(sql, SQL`select email from users where role = 'admin' order by id`)).map(({ email }) => email)
const canLogIn = async (identifier: string, password: string) => (await rig.post('/v1/auth/login', { identifier, password })).status === 200
/** Runs a command and gives its exit code and what it said. */
async function byHand(...words: string[]) {
  const lines: string[] = []
  const code = await manageAdmins(needs, words, now(), (line: string) => void lines.push(line))
  const said = lines.join('\n')
  return { code, said, password: /^ {2}(\S+)$/m.exec(said)?.[1] ?? '' }
}

test('the settings make one admin where there is none, and are silent while they say what is there', async () => {
  expect(await first()).toBeUndefined()
  expect(await first()).toBeUndefined()
  expect(await first(' ADMIN@example.com ')).toBeUndefined()
  expect(await admins()).toEqual([ADMIN.email])
  expect(await canLogIn(ADMIN.email, ADMIN.password)).toBe(true)
})

test('replicas that start at once with different settings make one admin', async () => {
  await Promise.all(Array.from({ length: 8 }, (_, n) => first(`admin-${n}@example.com`)))
  expect(await admins()).toHaveLength(1)
})

test('another address or password later makes nobody and changes nothing, and what is said names the setting', async () => {
  await first()
  expect(await first('other@example.com')).toMatch(/ADMIN_EMAIL and ADMIN_PASSWORD are ignored.*ops admin add/)
  expect(await first(ADMIN.email, 'another password than that')).toMatch(/ADMIN_PASSWORD is ignored.*ops admin reset/)
  expect(await admins()).toEqual([ADMIN.email])
  expect(await canLogIn(ADMIN.email, ADMIN.password)).toBe(true)
  // nor where the only admin is disabled: somebody did that on purpose
  await run(owner, SQL`update auth.users set disabled = true`)
  expect(await first('other@example.com')).toContain('ignored')
  expect(await admins()).toEqual([ADMIN.email])
})

test('the address of a patient makes no admin of anybody, and is named', async () => {
  const patient = await rig.person()
  expect(await first(patient.email)).toMatch(/ADMIN_EMAIL is ignored.*no admin/)
  expect(await admins()).toEqual([])
  // with another address there is one
  expect(await first()).toBeUndefined()
  expect(await admins()).toEqual([ADMIN.email])
})

test('a shell adds an admin, whose password is shown once and works; each way in is recorded', async () => {
  await first()
  const added = await byHand('add', 'Segunda@Example.com')
  expect(added).toMatchObject({ code: 0, said: expect.stringContaining('Segunda@Example.com') })
  expect(await admins()).toEqual([ADMIN.email, 'segunda@example.com'])
  expect(await canLogIn('segunda@example.com', added.password)).toBe(true)
  expect(await rows(sql, SQL`select action, actor_id from audit where action like 'admin%'`)).toEqual([
    { action: 'admin_added', actorId: null }
  ])
  const stored = JSON.stringify(await rows(owner, SQL`select * from auth.users, auth.outbox`))
  expect(stored).not.toContain(added.password)

  expect(await byHand('add', 'segunda@example.com')).toMatchObject({ code: 1, said: expect.stringContaining('an admin already') })
  const patient = await rig.person()
  expect(await byHand('add', patient.email)).toMatchObject({ code: 1, said: expect.stringContaining('address of a patient') })
  expect(await canLogIn(patient.email, PASSWORD)).toBe(true)
  expect(await byHand('add', 'no address')).toMatchObject({ code: 1, said: expect.stringContaining('address') })
  for (const words of [
    [],
    ['add'],
    ['reset'],
    ['delete', 'x@example.com'],
    ['add', 'x@example.com', '--second-factor'],
    ['reset', 'x@example.com', '--all']
  ])
    expect((await byHand(...words)).code).toBe(64)
})

test('a reset gives a new password, ends every session and lifts every lock', async () => {
  await first()
  const { accessToken, user } = await rig.login(ADMIN.email, ADMIN.password)
  for (let tries = 0; tries < 12; tries++) await rig.post('/v1/auth/login', { identifier: ADMIN.email, password: 'wrong wrong wrong' })
  expect((await rig.post('/v1/auth/login', { identifier: ADMIN.email, password: ADMIN.password })).status).toBe(429)
  const reset = await byHand('reset', ADMIN.email)
  expect(reset.code).toBe(0)
  expect(await canLogIn(ADMIN.email, ADMIN.password)).toBe(false)
  expect(await canLogIn(ADMIN.email, reset.password)).toBe(true)
  await rig.catchUp()
  expect((await rig.call('GET', '/v1/auth/me', { token: accessToken })).status).toBe(401)
  expect(await rows(sql, SQL`select action, subject_id from audit where action = 'admin_reset'`)).toEqual([
    { action: 'admin_reset', subjectId: user.id }
  ])

  const patient = await rig.person()
  expect(await byHand('reset', patient.email)).toMatchObject({ code: 1, said: expect.stringContaining('no admin') })
  await run(owner, SQL`update auth.users set disabled = true where email = ${ADMIN.email}`)
  expect(await byHand('reset', ADMIN.email)).toMatchObject({ code: 1, said: expect.stringContaining('disabled') })
})

test('a lost second factor goes only where it is asked for', async () => {
  await first()
  const [admin] = await rows<{ id: string }>(sql, SQL`select id from users where role = 'admin'`)
  await run(sql, SQL`insert into totp (user_id, secret_sealed, created_at, activated_at) values (${admin?.id}, 'x', now(), now())`)
  const left = () => rows(sql, SQL`select 1 from totp`)
  expect((await byHand('reset', ADMIN.email)).code).toBe(0)
  expect(await left()).toHaveLength(1)
  expect((await byHand('reset', ADMIN.email, '--second-factor')).code).toBe(0)
  expect(await left()).toHaveLength(0)
  expect(await rows(sql, SQL`select 1 from audit where action = 'mfa_reset'`)).toHaveLength(1)
})
