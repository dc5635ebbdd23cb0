import { afterAll, beforeAll, expect, test } from 'bun:test'
import SQL, { type SQLStatement } from 'sql-template-strings'
import { rows, run, transaction } from '#platform/data/db'
import { eventually } from '#platform/testing/testing'
import { ADMIN, PASSWORD, type Rig, rigOf } from '../testing/testing.ts'

let rig: Rig
beforeAll(async () => {
  rig = await rigOf({ replicas: 2 })
})
afterAll(() => rig?.stop())

test('a doctor logs in by e-mail, CPF with or without punctuation, and CRM in its spellings', async () => {
  const doctor = await rig.person({ crm: 'CRM/SP 012345', cpf: '529.982.247-25', email: ' Iris@Example.COM ' })
  for (const identifier of ['iris@example.com', 'IRIS@example.com', '529.982.247-25', '52998224725', '12345-SP', 'crm/sp 12345']) {
    expect((await rig.login(identifier)).user.id).toBe(doctor.id)
  }
})

test('unknown person, wrong password: one answer', async () => {
  const { email } = await rig.person()
  const answers = await Promise.all([
    rig.post('/v1/auth/login', { identifier: 'nobody@example.com', password: PASSWORD }),
    rig.post('/v1/auth/login', { identifier: email, password: 'wrong password!' }),
    rig.post('/v1/auth/login', { identifier: 'no identifier at all', password: PASSWORD })
  ])
  for (const { status, body } of answers) {
    expect(status).toBe(401)
    expect({ ...body, requestId: '' }).toEqual({ ...(answers[0].body as object), requestId: '' } as never)
  }
  expect(answers[0].headers.get('www-authenticate')).toBe('Bearer')
})

test('ten failures lock an identifier on every replica, known or not, for 15 minutes; the owner is told once', async () => {
  const { email, id } = await rig.person()
  for (const identifier of [email, 'stranger@example.com']) {
    for (let nth = 1; nth <= 10; nth++) {
      expect((await rig.post('/v1/auth/login', { identifier, password: `wrong ${nth}` })).status).toBe(401)
    }
    for (const password of [PASSWORD, 'wrong']) {
      const { status, body, headers } = await rig.post('/v1/auth/login', { identifier, password })
      expect([status, body.code]).toEqual([429, 'too_many_attempts'])
      expect(Number(headers.get('retry-after'))).toBeWithin(1, 901)
    }
  }
  expect(await rig.events('user.locked_out', id)).toHaveLength(1)
  rig.pass({ minutes: 15, seconds: 1 })
  expect((await rig.login(email)).user.id).toBe(id)
})

test('of fifty guesses at once no more than ten are told that they are wrong, and a right one after the limit does not get in', async () => {
  const { email } = await rig.person()
  const from = '203.0.113.9'
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, nth) => rig.post('/v1/auth/login', { identifier: email, password: `guess number ${nth}` }, { from }))
  )
  expect(answers.filter(({ status }) => status === 401)).toHaveLength(10)
  expect(answers.filter(({ status }) => status === 429)).toHaveLength(40)
  expect((await rig.post('/v1/auth/login', { identifier: email, password: PASSWORD }, { from })).status).toBe(429)
})

test('fifty failures lock an address, the address told by a gateway only', async () => {
  const { email } = await rig.person()
  const from = '10.1.2.3'
  const told = { 'x-forwarded-for': '192.0.2.55' }
  for (let nth = 0; nth < 50; nth++) {
    await rig.post('/v1/auth/login', { identifier: `nobody${nth}@example.com`, password: 'x' }, { from, headers: told })
  }
  const attempt = (options: object) => rig.post('/v1/auth/login', { identifier: email, password: PASSWORD }, options)
  expect((await attempt({ from, headers: told })).status).toBe(429)
  expect((await attempt({ from, headers: { 'x-forwarded-for': '192.0.2.56' } })).status).toBe(200)
  // from elsewhere the header is somebody's claim
  expect((await attempt({ from: '198.51.100.99', headers: told })).status).toBe(200)
})

test('a disabled account is told of only after a right password', async () => {
  const { email, id } = await rig.person()
  await rig.call('POST', `/v1/admin/users/${id}/disable`, { token: await rig.asAdmin() })
  expect((await rig.post('/v1/auth/login', { identifier: email, password: 'wrong one' })).body.code).toBe('invalid_credentials')
  const { status, body } = await rig.post('/v1/auth/login', { identifier: email, password: PASSWORD })
  expect([status, body.code]).toEqual([403, 'account_disabled'])
})

/** Logs in, and changes the person while the right password waits to become a session. */
async function loginDuring({ email, id }: { email: string; id: string }, change: SQLStatement) {
  const waiting = () =>
    rows(
      rig.sql,
      SQL`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%from users where id = % for update'`
    )
  const { asked } = await transaction(rig.sql, async (tx) => {
    await run(tx, SQL`update users set `.append(change).append(SQL` where id = ${id}`))
    const asked = rig.post('/v1/auth/login', { identifier: email, password: PASSWORD })
    await eventually(async () => (await waiting()).length > 0)
    return { asked }
  })
  return asked
}

test.each([
  ['another password', SQL`password_hash = 'another'`, 401, 'invalid_credentials'],
  ['a disabled account', SQL`disabled = true`, 403, 'account_disabled']
])('%s counts though it came while the old state was being proven: no session opens', async (_, change, status, code) => {
  const person = await rig.person()
  const traces = () =>
    rows(
      rig.sql,
      SQL`select id::text from sessions where user_id = ${person.id} union all select action from audit where subject_id = ${person.id}`
    )
  const before = await traces()
  const answer = await loginDuring(person, change)
  expect([answer.status, answer.body.code]).toEqual([status, code] as never)
  expect(await traces()).toEqual(before)
})

test('a token tells what the person is when it is given, not when the password was read', async () => {
  const { status, body } = await loginDuring(await rig.person(), SQL`name = 'Ana Nova', version = version + 1`)
  expect([status, (body as { user?: { name: string } }).user?.name]).toEqual([200, 'Ana Nova'])
})

test('the first admin is there once, with a verified address and no CPF', async () => {
  const { body } = await rig.post<{ user: object }>('/v1/auth/login', { identifier: ADMIN.email, password: ADMIN.password })
  expect(body.user).toMatchObject({ role: 'admin', cpf: null, emailVerified: true })
})
