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

type Answer = { code: string; errors?: { path: string }[] }
type Person = Awaited<ReturnType<Rig['person']>>
const newAddress = () => `n-${crypto.randomUUID().slice(0, 8)}@example.com`
const ask = (token: string, email: string, password = PASSWORD) => rig.post<Answer>('/v1/auth/me/email', { email, password }, { token })
const asked = async (id: string) =>
  (await rig.events('user.verification_of_new_address_requested', id)).map(
    ({ data }) => data as { token: string; email: string; previousEmail: string }
  )
const verify = (token: string | undefined) => rig.post<Answer>('/v1/auth/email/verify', { token })
const emailOf = async (id: string) =>
  (await rows<{ email: string; emailVerified: boolean }>(rig.sql, SQL`select email, email_verified from users where id = ${id}`))[0]
/** Somebody whose address is verified, logged in after that. */
async function verified(): Promise<Person> {
  const person = await rig.person()
  const [event] = await rig.events('user.verification_requested', person.id)
  await verify(String(event?.data.token))
  return { ...person, ...(await rig.login(person.email)) }
}

test('the address changes when the token that went to the new one comes back, and not before', async () => {
  const person = await verified()
  const email = newAddress()
  expect((await ask(person.accessToken, ` ${email.toUpperCase()} `)).status).toBe(202)
  expect(await emailOf(person.id)).toEqual({ email: person.email, emailVerified: true })
  const [request] = await asked(person.id)
  expect(request).toMatchObject({ id: person.id, email, previousEmail: person.email } as never)
  expect((await verify(request?.token)).status).toBe(204)
  expect(await emailOf(person.id)).toEqual({ email, emailVerified: true })
  expect((await rig.login(email)).user).toMatchObject({ id: person.id, email } as never)
  expect((await rig.post('/v1/auth/login', { identifier: person.email, password: PASSWORD })).status).toBe(401)
  const [told] = (await rig.events('user.updated', person.id)).slice(-1)
  expect(told?.data).toMatchObject({ email, emailVerified: true })
  expect((await verify(request?.token)).body.code).toBe('token_invalid')
})

test('the first proof of the new address ends sessions and feed; a second factor that was enrolled with a proven address stays', async () => {
  const person = await verified()
  const { body } = await rig.post<{ secret: string }>('/v1/auth/mfa/totp', undefined, { token: person.accessToken })
  const code = await generate({ secret: body.secret, epoch: Math.floor(rig.now().epochMilliseconds / 1000) })
  await rig.post('/v1/auth/mfa/totp/activate', { code }, { token: person.accessToken })
  const email = newAddress()
  await ask(person.accessToken, email)
  await verify((await asked(person.id))[0]?.token)
  await rig.catchUp()
  expect((await rig.call('GET', '/v1/auth/me', { token: person.accessToken })).body.code).toBe('token_revoked')
  expect((await rig.events('user.access_revoked', person.id)).length).toBe(2)
  // or else a stolen session and password would be enough to remove it
  expect((await rig.post('/v1/auth/login', { identifier: email, password: PASSWORD })).body).toMatchObject({ mfaRequired: true } as never)
})

test('somebody who mistyped the address at registration corrects it: the first proof is that of the new one', async () => {
  const person = await rig.person()
  const { body } = await rig.post<{ secret: string }>('/v1/auth/mfa/totp', undefined, { token: person.accessToken })
  const code = await generate({ secret: body.secret, epoch: Math.floor(rig.now().epochMilliseconds / 1000) })
  await rig.post('/v1/auth/mfa/totp/activate', { code }, { token: person.accessToken })
  const email = newAddress()
  await ask(person.accessToken, email)
  await verify((await asked(person.id))[0]?.token)
  expect(await emailOf(person.id)).toEqual({ email, emailVerified: true })
  expect((await rig.login(email)).user.id).toBe(person.id)
  // the link that went to the mistyped address proves nothing any more
  const [first] = await rig.events('user.verification_requested', person.id)
  expect((await verify(String(first?.data.token))).body.code).toBe('token_invalid')
})

test('a taken address is refused when it is asked for, in any letters, and also when it was taken meanwhile', async () => {
  const [person, other] = [await verified(), await rig.person()]
  expect((await ask(person.accessToken, other.email.toUpperCase())).body.code).toBe('email_taken')
  const email = newAddress()
  await ask(person.accessToken, email)
  await rig.person({ email })
  const late = await verify((await asked(person.id))[0]?.token)
  expect([late.status, late.body.code]).toEqual([409, 'email_taken'])
  expect((await emailOf(person.id))?.email).toBe(person.email)
})

test('whoever keeps asking which addresses are taken has to wait', async () => {
  const [person, other] = [await verified(), await rig.person()]
  const from = '203.0.113.77'
  const probe = () => rig.post<Answer>('/v1/auth/me/email', { email: other.email, password: PASSWORD }, { token: person.accessToken, from })
  for (let nth = 0; nth < 50; nth++) expect((await probe()).status).toBe(409)
  expect((await probe()).body.code).toBe('too_many_attempts')
})

test('it takes the password, a valid address, and no more than five mails an hour', async () => {
  const { accessToken: token, id } = await verified()
  expect((await ask(token, newAddress(), 'wrong')).body.code).toBe('invalid_credentials')
  for (const body of [
    {},
    { email: newAddress() },
    { email: 'ana', password: PASSWORD },
    { email: newAddress(), password: PASSWORD, x: 1 }
  ]) {
    expect((await rig.post<Answer>('/v1/auth/me/email', body, { token })).status).toBe(422)
  }
  const invalidAddress = await ask(token, 'ana@localhost')
  expect(invalidAddress.body.errors?.map(({ path }) => path)).toEqual(['/email'])
  expect(await asked(id)).toEqual([])
  for (let nth = 0; nth < 5; nth++) expect((await ask(token, newAddress())).status).toBe(202)
  expect((await ask(token, newAddress())).body.code).toBe('rate_limited')
  // only the last request counts
  const tokens = await asked(id)
  for (const { token: earlier } of tokens.slice(0, 4)) expect((await verify(earlier)).body.code).toBe('token_invalid')
  expect((await verify(tokens[4]?.token)).status).toBe(204)
})

test('the own address changes nothing and sends nothing', async () => {
  const person = await verified()
  expect((await ask(person.accessToken, person.email.toUpperCase())).status).toBe(202)
  expect(await asked(person.id)).toEqual([])
})

const endings: [what: string, end: (person: Person) => Promise<unknown>][] = [
  [
    'a password reset',
    async ({ id, email }) => {
      await rig.post('/v1/auth/password/forgot', { email })
      await rig.catchUp()
      const [event] = await rig.events('user.password_reset_requested', id)
      await rig.post('/v1/auth/password/reset', { token: event?.data.token, newPassword: 'outra frase bem comprida' })
    }
  ],
  [
    'a password change',
    ({ accessToken: token }) =>
      rig.post('/v1/auth/password/change', { currentPassword: PASSWORD, newPassword: 'outra frase bem comprida' }, { token })
  ],
  ['logging out everywhere', ({ accessToken: token }) => rig.post('/v1/auth/logout-all', undefined, { token })],
  ['a day', async () => rig.pass({ hours: 24 })]
]
test.each(endings)('%s voids the token of a change that somebody else may have asked for', async (_, end) => {
  const person = await verified()
  await ask(person.accessToken, newAddress())
  await end(person)
  expect((await verify((await asked(person.id))[0]?.token)).body.code).toBe('token_invalid')
  expect((await emailOf(person.id))?.email).toBe(person.email)
})

test('the first proof of an address voids a change that was asked for before it: the owner of the mailbox keeps the account', async () => {
  const attacker = await rig.person()
  await ask(attacker.accessToken, newAddress())
  const [event] = await rig.events('user.verification_requested', attacker.id)
  expect((await verify(String(event?.data.token))).status).toBe(204)
  expect((await verify((await asked(attacker.id))[0]?.token)).body.code).toBe('token_invalid')
  expect(await emailOf(attacker.id)).toEqual({ email: attacker.email, emailVerified: true })
})

test('links to reset the password that went to the old address are void after the change', async () => {
  const person = await verified()
  await rig.post('/v1/auth/password/forgot', { email: person.email })
  await rig.catchUp()
  await ask(person.accessToken, newAddress())
  await verify((await asked(person.id))[0]?.token)
  const [event] = await rig.events('user.password_reset_requested', person.id)
  const late = await rig.post('/v1/auth/password/reset', { token: event?.data.token, newPassword: 'outra frase bem comprida' })
  expect(late.body.code).toBe('token_invalid')
})
