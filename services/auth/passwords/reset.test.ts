import { afterAll, beforeAll, expect, test } from 'bun:test'
import { PASSWORD, type Rig, rigOf } from '../testing/testing.ts'

let rig: Rig
beforeAll(async () => {
  rig = await rigOf({ replicas: 2 })
})
afterAll(() => rig?.stop())

const next = 'outra frase bem comprida'
const forgot = async (email: string) => {
  const { status } = await rig.post('/v1/auth/password/forgot', { email })
  await rig.catchUp()
  return status
}
const tokens = async (id: string, kind = 'password_reset_requested') =>
  (await rig.events(`user.${kind}`, id)).map(({ data }) => String(data.token))

test('a forgotten password is reset once with the token of the mail; every session ends and the lock is off', async () => {
  const person = await rig.person()
  for (let nth = 0; nth < 11; nth++) await rig.post('/v1/auth/login', { identifier: person.email, password: 'wrong' })
  expect(await forgot(person.email.toUpperCase())).toBe(202)
  const [token] = await tokens(person.id)
  const reset = (newPassword: string) => rig.post('/v1/auth/password/reset', { token, newPassword })
  expect((await reset('curta')).body.code).toBe('weak_password')
  expect((await reset(next)).status).toBe(204)
  const again = await reset(`${next}!`)
  expect([again.status, again.body.code]).toEqual([400, 'token_invalid'])
  expect((await rig.login(person.email, next)).user).toMatchObject({ id: person.id, emailVerified: true })
  expect((await rig.post('/v1/auth/login', { identifier: person.email, password: PASSWORD })).status).toBe(401)
  expect((await rig.post('/v1/auth/refresh', { refreshToken: person.refreshToken })).body.code).toBe('token_revoked')
})

test('of two resets at once with one token one counts', async () => {
  const person = await rig.person()
  await forgot(person.email)
  const [token] = await tokens(person.id)
  const both = await Promise.all([1, 2, 3, 4].map((nth) => rig.post('/v1/auth/password/reset', { token, newPassword: `${next} ${nth}` })))
  expect(both.map(({ status }) => status).sort()).toEqual([204, 400, 400, 400])
})

test('an unknown address is answered alike, and nobody is mailed more than five times an hour', async () => {
  const person = await rig.person()
  expect(await forgot('nobody@example.com')).toBe(202)
  for (let nth = 0; nth < 7; nth++) expect(await forgot(person.email)).toBe(202)
  expect(await tokens(person.id)).toHaveLength(5)
  rig.pass({ hours: 1, seconds: 1 })
  await forgot(person.email)
  expect(await tokens(person.id)).toHaveLength(6)
})

test('a token runs 30 minutes, and one kind is not taken for the other', async () => {
  const person = await rig.person()
  await forgot(person.email)
  const [reset] = await tokens(person.id)
  const [verify] = await tokens(person.id, 'verification_requested')
  expect((await rig.post('/v1/auth/email/verify', { token: reset })).body.code).toBe('token_invalid')
  expect((await rig.post('/v1/auth/password/reset', { token: verify, newPassword: next })).body.code).toBe('token_invalid')
  rig.pass({ minutes: 30 })
  expect((await rig.post('/v1/auth/password/reset', { token: reset, newPassword: next })).body.code).toBe('token_invalid')
})

test('who changes the password keeps this session and ends the others', async () => {
  const person = await rig.person()
  const other = await rig.login(person.email)
  const change = (body: object) => rig.post('/v1/auth/password/change', body, { token: person.accessToken })
  expect((await change({ currentPassword: 'wrong', newPassword: next })).body.code).toBe('invalid_credentials')
  expect((await change({ currentPassword: PASSWORD, newPassword: 'password1234' })).body.code).toBe('weak_password')
  expect((await change({ currentPassword: PASSWORD, newPassword: next })).status).toBe(204)
  await rig.catchUp()
  expect((await rig.call('GET', '/v1/auth/me', { token: person.accessToken })).status).toBe(200)
  expect((await rig.call('GET', '/v1/auth/me', { token: other.accessToken })).body.code).toBe('token_revoked')
  expect((await rig.login(person.email, next)).user.id).toBe(person.id)
})

test('an address is verified once with the token of the mail, which can be asked for again', async () => {
  const person = await rig.person()
  const resend = (token = person.accessToken) => rig.call('POST', '/v1/auth/email/resend', { token })
  expect((await resend()).status).toBe(202)
  const sent = await tokens(person.id, 'verification_requested')
  expect(sent).toHaveLength(2)
  expect((await rig.post('/v1/auth/email/verify', { token: sent[0] })).status).toBe(204)
  for (const token of [...sent, 'x', `${Bun.randomUUIDv7()}.${'A'.repeat(43)}`]) {
    expect((await rig.post('/v1/auth/email/verify', { token })).body.code).toBe('token_invalid')
  }
  expect((await rig.call('GET', '/v1/auth/me', { token: person.accessToken })).body.emailVerified).toBe(true)
  const [told] = (await rig.events('user.updated', person.id)).slice(-1)
  expect(told?.data).toMatchObject({ emailVerified: true, version: 2 })
  // the first proof ended the session
  expect((await resend((await rig.login(person.email)).accessToken)).status).toBe(202)
  expect(await tokens(person.id, 'verification_requested')).toHaveLength(2)
})

test('the sixth verification mail of an hour is refused', async () => {
  const { accessToken: token } = await rig.person()
  for (let nth = 2; nth <= 5; nth++) expect((await rig.call('POST', '/v1/auth/email/resend', { token })).status).toBe(202)
  const { status, body } = await rig.call('POST', '/v1/auth/email/resend', { token })
  expect([status, body.code]).toEqual([429, 'rate_limited'])
})
