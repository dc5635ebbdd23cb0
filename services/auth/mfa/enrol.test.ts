import { afterAll, beforeAll, expect, test } from 'bun:test'
import { generate } from 'otplib'
import { PASSWORD, type Rig, rigOf, type Tokens } from '../testing/testing.ts'

let rig: Rig
beforeAll(async () => {
  rig = await rigOf({ replicas: 2 })
})
afterAll(() => rig?.stop())

const codeOf = (secret: string) => generate({ secret, epoch: Math.floor(rig.now().epochMilliseconds / 1000) })
type Half = { mfaRequired: true; mfaToken: string; code?: string }
const half = async (identifier: string) => (await rig.post<Half>('/v1/auth/login', { identifier, password: PASSWORD })).body
const finish = (mfaToken: string, code: string) => rig.post<Tokens & { code?: string }>('/v1/auth/login/mfa', { mfaToken, code })

async function enrolled() {
  const person = await rig.person()
  const token = person.accessToken
  const { body } = await rig.post<{ secret: string; otpauthUri: string }>('/v1/auth/mfa/totp', undefined, { token })
  const active = await rig.post<{ recoveryCodes: string[] }>('/v1/auth/mfa/totp/activate', { code: await codeOf(body.secret) }, { token })
  expect(active.status).toBe(200)
  rig.pass({ seconds: 60 })
  return { ...person, token, secret: body.secret, recoveryCodes: active.body.recoveryCodes }
}

test('an authenticator counts only once its first code was given', async () => {
  const person = await rig.person()
  const token = person.accessToken
  const { status, body } = await rig.post<{ secret: string; otpauthUri: string }>('/v1/auth/mfa/totp', undefined, { token })
  expect(status).toBe(201)
  expect(body.otpauthUri).toStartWith('otpauth://totp/Health%26Med')
  expect((await rig.login(person.email)).user.id).toBe(person.id)
  expect((await rig.post('/v1/auth/mfa/totp/activate', { code: '000000' }, { token })).body.code).toBe('mfa_invalid')
  expect((await rig.post('/v1/auth/mfa/totp/activate', { code: await codeOf(body.secret) }, { token })).status).toBe(200)
  expect(await half(person.email)).toEqual({ mfaRequired: true, mfaToken: expect.any(String) })
  expect((await rig.post('/v1/auth/mfa/totp', undefined, { token })).body.code).toBe('conflict')
})

test('a code finishes a log-in once, also of two at once; an older one is none', async () => {
  const person = await enrolled()
  const code = await codeOf(person.secret)
  const halves = [await half(person.email), await half(person.email)]
  const both = await Promise.all(halves.map(({ mfaToken }) => finish(mfaToken, code)))
  expect(both.map(({ status }) => status).sort()).toEqual([200, 401])
  rig.pass({ seconds: 30 })
  expect((await finish((await half(person.email)).mfaToken, code)).body.code).toBe('mfa_invalid')
  expect((await finish((await half(person.email)).mfaToken, await codeOf(person.secret))).status).toBe(200)
})

test('each of ten recovery codes finishes one log-in, in any case and without its dash', async () => {
  const person = await enrolled()
  expect(new Set(person.recoveryCodes).size).toBe(10)
  const [first = '', second = ''] = person.recoveryCodes
  expect((await finish((await half(person.email)).mfaToken, first)).status).toBe(200)
  expect((await finish((await half(person.email)).mfaToken, first)).body.code).toBe('mfa_invalid')
  expect((await finish((await half(person.email)).mfaToken, second.toUpperCase().replace('-', ''))).status).toBe(200)
})

test('the token between the steps works once, for five minutes, and is nothing without the password', async () => {
  const person = await enrolled()
  const { mfaToken } = await half(person.email)
  rig.pass({ minutes: 5 })
  expect((await finish(mfaToken, await codeOf(person.secret))).body.code).toBe('mfa_invalid')
  const fresh = await half(person.email)
  expect((await finish(fresh.mfaToken, await codeOf(person.secret))).status).toBe(200)
  rig.pass({ seconds: 60 })
  expect((await finish(fresh.mfaToken, await codeOf(person.secret))).body.code).toBe('mfa_invalid')
  expect((await finish('x.y', '123456')).status).toBe(401)
})

test('wrong codes lock the second factor like wrong passwords the login, and another right password does not reset the count', async () => {
  const person = await enrolled()
  for (let nth = 0; nth < 10; nth++) expect((await finish((await half(person.email)).mfaToken, '000000')).status).toBe(401)
  const locked = await finish((await half(person.email)).mfaToken, await codeOf(person.secret))
  expect([locked.status, locked.body.code]).toEqual([429, 'too_many_attempts'])
  expect(await rig.events('user.locked_out', person.id)).toHaveLength(1)
})

test('it is turned off with password and code', async () => {
  const person = await enrolled()
  const remove = async (password: string, code: string) =>
    await rig.call<{ code?: string }>('DELETE', '/v1/auth/mfa/totp', { token: person.token, body: { password, code } })
  expect((await remove('wrong', await codeOf(person.secret))).body.code).toBe('invalid_credentials')
  expect((await remove(PASSWORD, '000000')).body.code).toBe('mfa_invalid')
  expect((await remove(PASSWORD, await codeOf(person.secret))).status).toBe(204)
  expect((await rig.login(person.email)).user.id).toBe(person.id)
})
