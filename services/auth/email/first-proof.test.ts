import { afterAll, beforeAll, expect, test } from 'bun:test'
import { generate } from 'otplib'
import SQL from 'sql-template-strings'
import { rows } from '#platform/data/db'
import { PASSWORD, type Rig, rigOf } from '../testing/testing.ts'

let rig: Rig
beforeAll(async () => {
  rig = await rigOf({ replicas: 2 })
})
afterAll(() => rig?.stop())

const next = 'outra frase bem comprida'
const codeOf = (secret: string) => generate({ secret, epoch: Math.floor(rig.now().epochMilliseconds / 1000) })
const lastToken = async (id: string, kind: string) => String((await rig.events(`user.${kind}`, id)).at(-1)?.data.token)
const changes = async (id: string) => (await rig.events('user.second_factor_changed', id)).map(({ data }) => data.change)

/** Somebody who registered an address that may be another's, and enrolled a second factor before anybody proved it. */
async function enrolled() {
  const person = await rig.person()
  const token = person.accessToken
  const { body } = await rig.post<{ secret: string }>('/v1/auth/mfa/totp', undefined, { token })
  const active = await rig.post<{ recoveryCodes: string[] }>('/v1/auth/mfa/totp/activate', { code: await codeOf(body.secret) }, { token })
  expect(active.status).toBe(200)
  return { ...person, secret: body.secret, recoveryCodes: active.body.recoveryCodes }
}
type Enrolled = Awaited<ReturnType<typeof enrolled>>

const verify = async ({ id }: { id: string }) => rig.post('/v1/auth/email/verify', { token: await lastToken(id, 'verification_requested') })
const reset = async ({ id, email }: { id: string; email: string }, newPassword = next) => {
  await rig.post('/v1/auth/password/forgot', { email })
  await rig.catchUp()
  return rig.post('/v1/auth/password/reset', { token: await lastToken(id, 'password_reset_requested'), newPassword })
}
const left = ({ id }: { id: string }) =>
  rows(rig.sql, SQL`select user_id from totp where user_id = ${id} union all select user_id from recovery_codes where user_id = ${id}`)

const proofs: [proof: string, prove: (person: Enrolled) => Promise<{ status: number }>, password: string][] = [
  ['email/verify', verify, PASSWORD],
  ['password/reset', reset, next]
]

test.each(proofs)(
  'the first proof by %s voids second factor, recovery codes and sessions, and has the feed voided',
  async (_, prove, password) => {
    const attacker = await enrolled()
    const half = await rig.post<{ mfaToken: string }>('/v1/auth/login', { identifier: attacker.email, password: PASSWORD })
    expect(half.body.mfaToken).toBeString()
    expect((await prove(attacker)).status).toBe(204)
    await rig.catchUp()
    expect((await rig.call('GET', '/v1/auth/me', { token: attacker.accessToken })).body.code).toBe('token_revoked')
    expect((await rig.post('/v1/auth/refresh', { refreshToken: attacker.refreshToken })).body.code).toBe('token_revoked')
    for (const code of [await codeOf(attacker.secret), ...attacker.recoveryCodes.slice(0, 2)]) {
      expect((await rig.post('/v1/auth/login/mfa', { mfaToken: half.body.mfaToken, code })).status).toBe(401)
    }
    expect(await left(attacker)).toEqual([])
    // no code is asked for
    expect((await rig.login(attacker.email, password)).user.id).toBe(attacker.id)
    // scheduling voids the feed by this
    expect(await rig.events('user.access_revoked', attacker.id)).toHaveLength(1)
    expect(await changes(attacker.id)).toEqual(['activated', 'voided'])
  }
)

test.each(proofs)(
  'a factor that is not active yet is voided by %s as well, and a token from before enrols none',
  async (_, prove, password) => {
    const person = await rig.person()
    const token = person.accessToken
    const { body } = await rig.post<{ secret: string }>('/v1/auth/mfa/totp', undefined, { token })
    await prove({ ...person, secret: body.secret, recoveryCodes: [] })
    // the token is not known as ended yet: nobody has caught up
    expect((await rig.post('/v1/auth/mfa/totp/activate', { code: await codeOf(body.secret) }, { token })).status).toBe(401)
    for (const body of [undefined, { password }])
      expect((await rig.post('/v1/auth/mfa/totp', body, { token })).body.code).toBe('token_revoked')
    expect(await left(person)).toEqual([])
  }
)

test('enrolments and the proof at once: nothing that was begun before the proof is left', async () => {
  const person = await rig.person()
  const { accessToken: token } = person
  await Promise.all([
    ...Array.from({ length: 6 }, async () => {
      const { body } = await rig.post<{ secret?: string }>('/v1/auth/mfa/totp', undefined, { token })
      if (body.secret) await rig.post('/v1/auth/mfa/totp/activate', { code: await codeOf(body.secret) }, { token })
    }),
    verify(person)
  ])
  expect(await left(person)).toEqual([])
})

test.each(proofs)('a later proof by %s keeps the second factor', async (_, prove, password) => {
  const person = await rig.person()
  await verify(person)
  const { accessToken: token } = await rig.login(person.email)
  const { body } = await rig.post<{ secret: string }>('/v1/auth/mfa/totp', undefined, { token })
  const code = await codeOf(body.secret)
  const active = await rig.post<{ recoveryCodes: string[] }>('/v1/auth/mfa/totp/activate', { code }, { token })
  await prove({ ...person, secret: body.secret, recoveryCodes: active.body.recoveryCodes })
  const again = await rig.post('/v1/auth/login', { identifier: person.email, password: password === next ? next : PASSWORD })
  expect(again.body).toMatchObject({ mfaRequired: true } as never)
})
