import { afterAll, beforeAll, expect, test } from 'bun:test'
import { generate } from 'otplib'
import { PASSWORD, type Rig, rigOf } from '../testing/testing.ts'

let rig: Rig
beforeAll(async () => {
  rig = await rigOf({ replicas: 2 })
})
afterAll(() => rig?.stop())

type Answer = { secret: string; code: string; errors?: { path: string }[] }
const start = (token: string, body?: unknown) => rig.post<Answer>('/v1/auth/mfa/totp', body, { token })

test('a session that has lasted for more than five minutes enrols a second factor only with the password', async () => {
  const { accessToken: token } = await rig.person()
  rig.pass({ minutes: 5, seconds: 1 })
  for (const body of [undefined, {}]) {
    const answer = await start(token, body)
    expect([answer.status, answer.body.code, answer.body.errors?.map(({ path }) => path)]).toEqual([
      422,
      'validation_failed',
      ['/password']
    ])
  }
  expect((await start(token, { password: 'not the password' })).body.code).toBe('invalid_credentials')
  expect((await start(token, { password: PASSWORD })).status).toBe(201)
})

test('a refresh makes no session younger', async () => {
  const { refreshToken } = await rig.person()
  rig.pass({ minutes: 6 })
  const { body } = await rig.post<{ accessToken: string }>('/v1/auth/refresh', { refreshToken })
  expect((await start(body.accessToken)).status).toBe(422)
})

test('right after a login the password was just given; a wrong one is refused all the same, and unknown fields too', async () => {
  const { accessToken: token } = await rig.person()
  expect((await start(token)).status).toBe(201)
  expect((await start(token, {})).status).toBe(201)
  expect((await start(token, { password: PASSWORD })).status).toBe(201)
  expect((await start(token, { password: 'not the password' })).status).toBe(401)
  expect((await start(token, { passwort: PASSWORD })).body.code).toBe('validation_failed')
  expect((await start(token, { password: 7 })).body.errors?.map(({ path }) => path)).toEqual(['/password'])
})

test('guesses of the password are limited here, too', async () => {
  const { accessToken: token, email } = await rig.person()
  for (let nth = 0; nth < 10; nth++) expect((await start(token, { password: `wrong ${nth}` })).status).toBe(401)
  expect((await start(token, { password: PASSWORD })).body.code).toBe('too_many_attempts')
  expect((await rig.login(email)).user.email).toBe(email)
})

test('the person is mailed when a second factor is activated and when it is removed, and not before', async () => {
  const { accessToken: token, id } = await rig.person()
  const changes = async () => (await rig.events('user.second_factor_changed', id)).map(({ data }) => data)
  const { body } = await start(token)
  expect(await changes()).toEqual([])
  const code = () => generate({ secret: body.secret, epoch: Math.floor(rig.now().epochMilliseconds / 1000) })
  await rig.post('/v1/auth/mfa/totp/activate', { code: await code() }, { token })
  expect(await changes()).toEqual([{ id, change: 'activated', reason: null }])
  rig.pass({ minutes: 1 })
  await rig.call('DELETE', '/v1/auth/mfa/totp', { token, body: { password: PASSWORD, code: await code() } })
  expect((await changes()).slice(1)).toEqual([{ id, change: 'removed', reason: null }])
})
