import { afterAll, beforeAll, expect, test } from 'bun:test'
import { generate } from 'otplib'
import { parseSettings } from '#platform/setup/settings'
import { settingsSchema } from '../settings.ts'
import { ADMIN, PASSWORD, type Rig, rigOf, type Tokens } from '../testing/testing.ts'
import { rolesWithSecondFactor } from './require.ts'

let rig: Rig
beforeAll(async () => {
  rig = await rigOf({ requireMfa: ['admin', 'doctor'] })
})
afterAll(() => rig?.stop())

type Login = Tokens & { mfaEnrolmentRequired?: true; mfaRequired?: true; mfaToken: string }
const login = async (identifier: string, password: string) => (await rig.post<Login>('/v1/auth/login', { identifier, password })).body
const codeOf = (secret: string) => generate({ secret, epoch: Math.floor(rig.now().epochMilliseconds / 1000) })
const listUsers = async (token: string) => {
  const { status, body } = await rig.call<{ code?: string }>('GET', '/v1/admin/users', { token })
  return [status, body.code]
}
const needed = [403, 'mfa_enrolment_required']
async function enrol(token: string) {
  const { body } = await rig.post<{ secret: string }>('/v1/auth/mfa/totp', undefined, { token })
  expect((await rig.post('/v1/auth/mfa/totp/activate', { code: await codeOf(body.secret) }, { token })).status).toBe(200)
  rig.pass({ seconds: 60 })
  return body.secret
}

test('an admin without a second factor logs in only as far as to enrol one; after that the next token does everything', async () => {
  const first = await login(ADMIN.email, ADMIN.password)
  expect(first.mfaEnrolmentRequired).toBe(true)
  expect(await listUsers(first.accessToken)).toEqual(needed)
  expect((await rig.call('GET', '/v1/auth/me', { token: first.accessToken })).status).toBe(200)
  // a refresh is no way around
  const second = (await rig.post<Login>('/v1/auth/refresh', { refreshToken: first.refreshToken })).body
  expect(second.mfaEnrolmentRequired).toBe(true)
  expect(await listUsers(second.accessToken)).toEqual(needed)
  const secret = await enrol(second.accessToken)
  const third = (await rig.post<Login>('/v1/auth/refresh', { refreshToken: second.refreshToken })).body
  expect(third.mfaEnrolmentRequired).toBeUndefined()
  expect(await listUsers(third.accessToken)).toEqual([200, undefined])
  // and a login with the code
  const half = await login(ADMIN.email, ADMIN.password)
  expect(half.mfaRequired).toBe(true)
  const whole = (await rig.post<Login>('/v1/auth/login/mfa', { mfaToken: half.mfaToken, code: await codeOf(secret) })).body
  expect(whole.mfaEnrolmentRequired).toBeUndefined()
  expect(await listUsers(whole.accessToken)).toEqual([200, undefined])
  // whoever turns it off is asked for it again with the next token
  rig.pass({ seconds: 60 })
  const body = { password: ADMIN.password, code: await codeOf(secret) }
  expect((await rig.call('DELETE', '/v1/auth/mfa/totp', { token: whole.accessToken, body })).status).toBe(204)
  const fourth = (await rig.post<Login>('/v1/auth/refresh', { refreshToken: whole.refreshToken })).body
  expect(await listUsers(fourth.accessToken)).toEqual(needed)
})

test('a doctor is asked as well, a patient is not', async () => {
  const [doctor, patient] = [await rig.person({ crm: '7101-SP' }), await rig.person()]
  expect((await login(doctor.email, PASSWORD)).mfaEnrolmentRequired).toBe(true)
  expect((await login(patient.email, PASSWORD)).mfaEnrolmentRequired).toBeUndefined()
  expect(await listUsers(patient.accessToken)).toEqual([403, 'forbidden'])
})

test('a wrong role is told first', async () => {
  const doctor = await rig.person({ crm: '7102-SP' })
  expect(await listUsers(doctor.accessToken)).toEqual([403, 'forbidden'])
})

test('without the setting nobody is asked', async () => {
  const free = await rigOf()
  try {
    const { body } = await free.post<Login>('/v1/auth/login', { identifier: ADMIN.email, password: ADMIN.password })
    expect(body.mfaEnrolmentRequired).toBeUndefined()
    expect((await free.call('GET', '/v1/admin/users', { token: body.accessToken })).status).toBe(200)
  } finally {
    await free.stop()
  }
})

test('the setting is a list of admin and doctor, or none, and any other value is named', () => {
  const { REQUIRE_MFA: schema } = settingsSchema.properties
  const read = (value?: string) =>
    parseSettings({ ...settingsSchema, properties: { REQUIRE_MFA: schema } } as never, { REQUIRE_MFA: value }) as { REQUIRE_MFA: string }
  expect(rolesWithSecondFactor(read('admin,doctor').REQUIRE_MFA)).toEqual(['admin', 'doctor'])
  expect(rolesWithSecondFactor(read('doctor').REQUIRE_MFA)).toEqual(['doctor'])
  for (const value of [undefined, '', 'none']) expect(rolesWithSecondFactor(read(value).REQUIRE_MFA)).toEqual([])
  for (const value of ['patient', 'admin;doctor', 'admin,', 'Admin', 'none,admin']) expect(() => read(value)).toThrow('REQUIRE_MFA')
})
