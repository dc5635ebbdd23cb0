import { afterAll, beforeAll, expect, test } from 'bun:test'
import { generate } from 'otplib'
import SQL from 'sql-template-strings'
import { rows } from '#platform/data/db'
import { purge } from '../privacy/purge.ts'
import { PASSWORD, type Rig, rigOf, type Tokens } from '../testing/testing.ts'

let rig: Rig
beforeAll(async () => {
  rig = await rigOf({ replicas: 2 })
})
afterAll(() => rig?.stop())

let addresses = 0
const newAddress = () => `203.0.113.${++addresses}`
const login = (identifier: string, password: string, from: string) => rig.post('/v1/auth/login', { identifier, password }, { from })
const guess = async (identifier: string, from: string, times: number) => {
  for (let nth = 0; nth < times; nth++) await login(identifier, `wrong ${nth}`, from)
}
/** A hundred failures, ten from each of ten addresses. */
const guessEverywhere = async (identifier: string) => {
  for (let nth = 0; nth < 10; nth++) await guess(identifier, newAddress(), 10)
}
const reset = async ({ id, email }: { id: string; email: string }, newPassword: string) => {
  await rig.post('/v1/auth/password/forgot', { email })
  await rig.catchUp()
  const [event] = (await rig.events('user.password_reset_requested', id)).slice(-1)
  return rig.post('/v1/auth/password/reset', { token: event?.data.token, newPassword })
}
const mails = (id: string) => rig.events('user.locked_out', id)

test('ten guesses by a stranger lock the stranger and not the owner', async () => {
  const { email, cpf } = await rig.person()
  const [stranger, owner] = [newAddress(), newAddress()]
  await guess(email, stranger, 10)
  for (const identifier of [email, cpf]) expect((await login(identifier, PASSWORD, stranger)).body.code).toBe('too_many_attempts')
  expect((await login(email, PASSWORD, owner)).status).toBe(200)
  // and the owner's success does not set the stranger free
  expect((await login(email, PASSWORD, stranger)).status).toBe(429)
})

test('all addresses of one IPv6 network are one client', async () => {
  const { email } = await rig.person()
  for (let nth = 1; nth <= 10; nth++) expect((await login(email, `wrong ${nth}`, `2001:db8:7:1::${nth}`)).status).toBe(401)
  expect((await login(email, PASSWORD, '2001:db8:7:1:ffff::1')).status).toBe(429)
  expect((await login(email, PASSWORD, '2001:db8:7:2::1')).status).toBe(200)
})

test('the ninth failure locks nobody, and a success forgives the failures of its own address', async () => {
  const { email } = await rig.person()
  const from = newAddress()
  for (let round = 0; round < 2; round++) {
    await guess(email, from, 9)
    expect((await login(email, PASSWORD, from)).status).toBe(200)
  }
})

test.each(['known', 'unknown'])(
  'after a hundred failures in a day from anywhere no login works for a %s identifier, also days later',
  async (who) => {
    const person = await rig.person()
    const identifier = who === 'known' ? person.email : `nobody-${crypto.randomUUID().slice(0, 8)}@example.com`
    await guessEverywhere(identifier)
    for (const days of [0, 2, 5]) {
      rig.pass({ hours: 24 * days })
      await purge(rig.sql, rig.now(), { auditDays: 1826 })
      const { status, body, headers } = await login(identifier, PASSWORD, newAddress())
      expect([status, body.code]).toEqual([429, 'too_many_attempts'])
      expect((body as { detail?: string }).detail).toContain('by email')
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    }
  }
)

test('a reset by email restores the access that a hundred failures had taken', async () => {
  const person = await rig.person()
  await guessEverywhere(person.email)
  expect((await login(person.email, PASSWORD, newAddress())).status).toBe(429)
  expect((await reset(person, 'outra frase bem comprida')).status).toBe(204)
  expect((await login(person.email, 'outra frase bem comprida', newAddress())).status).toBe(200)
  // also from an address that was locked
  expect((await login(person.email, 'outra frase bem comprida', `203.0.113.${addresses - 4}`)).status).toBe(200)
})

test('ninety-nine failures in a day are not a hundred, and those of yesterday do not count', async () => {
  const { email } = await rig.person()
  for (let nth = 0; nth < 9; nth++) await guess(email, newAddress(), 10)
  await guess(email, newAddress(), 9)
  expect((await login(email, PASSWORD, newAddress())).status).toBe(200)
  rig.pass({ hours: 24, seconds: 1 })
  await guess(email, newAddress(), 9)
  expect((await login(email, PASSWORD, newAddress())).status).toBe(200)
})

test('of many guesses at once from many addresses no more than a hundred learn anything', async () => {
  const { email } = await rig.person()
  const from = Array.from({ length: 15 }, newAddress)
  const answers = await Promise.all(
    from.flatMap((address) => Array.from({ length: 10 }, (_, nth) => login(email, `guess number ${nth}`, address)))
  )
  expect(answers.filter(({ status }) => status === 401).length).toBe(100)
}, 30_000)

test('a person gets one lockout email in six hours, from however many addresses the guesses come', async () => {
  const { email, id } = await rig.person()
  for (let nth = 0; nth < 3; nth++) {
    await guess(email, newAddress(), 10)
    rig.pass({ minutes: 16 })
  }
  expect(await mails(id)).toHaveLength(1)
  rig.pass({ hours: 5 })
  await guess(email, newAddress(), 10)
  expect(await mails(id)).toHaveLength(1)
  rig.pass({ minutes: 20 })
  await guess(email, newAddress(), 10)
  expect(await mails(id)).toHaveLength(2)
  // the trail has each of them
  const trail = SQL`select 1 from audit where subject_id = ${id} and action = 'locked_out'`
  expect(await rows(rig.sql, trail)).toHaveLength(5)
})

test('the email says whether waiting helps or only a reset does', async () => {
  const [guessed, besieged] = [await rig.person(), await rig.person()]
  await guess(guessed.email, newAddress(), 10)
  expect((await mails(guessed.id))[0]?.data).toEqual({ id: guessed.id, until: rig.now().add({ minutes: 15 }).toString() })
  // nine each from many addresses: no pair is ever locked
  for (let nth = 0; nth < 12; nth++) await guess(besieged.email, newAddress(), 9)
  expect(await mails(besieged.id)).toHaveLength(1)
  expect((await mails(besieged.id))[0]?.data).toMatchObject({ id: besieged.id, resetNeeded: true })
})

test('one email too, where several addresses reach the limit at once', async () => {
  const { email, id } = await rig.person()
  const from = Array.from({ length: 4 }, newAddress)
  await Promise.all(from.map((address) => guess(email, address, 10)))
  expect(await mails(id)).toHaveLength(1)
})

const codeOf = (secret: string) => generate({ secret, epoch: Math.floor(rig.now().epochMilliseconds / 1000) })

/** Every place besides the login where somebody may guess: how it is tried with a wrong secret. */
const places: [place: string, attempt: (token: string) => Promise<{ status: number; body: { code: string } }>][] = [
  [
    'password change',
    (token) => rig.post('/v1/auth/password/change', { currentPassword: 'wrong', newPassword: 'outra frase bem comprida' }, { token })
  ],
  ['erasure', (token) => rig.call('DELETE', '/v1/auth/me', { token, body: { password: 'wrong' } })],
  ['activation of a second factor', (token) => rig.post('/v1/auth/mfa/totp/activate', { code: '000000' }, { token })],
  ['removal of a second factor', (token) => rig.call('DELETE', '/v1/auth/mfa/totp', { token, body: { password: 'wrong', code: '000000' } })]
]

test.each(places)('failures at the %s lock this, and neither the login nor the others', async (place, attempt) => {
  const { email, accessToken } = await rig.person()
  for (let nth = 0; nth < 10; nth++) expect((await attempt(accessToken)).status).toBe(401)
  expect((await attempt(accessToken)).body.code).toBe('too_many_attempts')
  expect((await rig.post('/v1/auth/login', { identifier: email, password: PASSWORD })).status).toBe(200)
  for (const [other, otherAttempt] of places) {
    const bothSecondFactor = place.includes('second factor') && other.includes('second factor')
    if (other !== place && !bothSecondFactor) expect([other, (await otherAttempt(accessToken)).status]).toEqual([other, 401])
  }
  rig.pass({ minutes: 16 })
})

test('a locked login does not keep a person who is logged in from changing the password', async () => {
  const { email, accessToken: token } = await rig.person()
  await guess(email, '198.51.100.7', 10)
  expect((await login(email, PASSWORD, '198.51.100.7')).status).toBe(429)
  const change = { currentPassword: PASSWORD, newPassword: 'outra frase bem comprida' }
  expect((await rig.post('/v1/auth/password/change', change, { token })).status).toBe(204)
  rig.pass({ minutes: 16 })
})

test('wrong codes of many addresses lock the second factor until a reset by email, and leave the first step as it is', async () => {
  const person = await rig.person()
  const { body } = await rig.post<{ secret: string }>('/v1/auth/mfa/totp', undefined, { token: person.accessToken })
  await rig.post('/v1/auth/mfa/totp/activate', { code: await codeOf(body.secret) }, { token: person.accessToken })
  rig.pass({ seconds: 60 })
  type Half = Tokens & { mfaToken: string; code: string }
  const finish = async (code: string, from: string, password = PASSWORD) => {
    const half = await rig.post<Half>('/v1/auth/login', { identifier: person.email, password }, { from })
    expect(half.status).toBe(200)
    return rig.post<Half>('/v1/auth/login/mfa', { mfaToken: half.body.mfaToken, code }, { from })
  }
  for (let nth = 0; nth < 10; nth++) {
    const from = newAddress()
    for (let time = 0; time < 10; time++) expect((await finish('000000', from)).status).toBe(401)
  }
  expect((await finish(await codeOf(body.secret), newAddress())).body.code).toBe('too_many_attempts')
}, 30_000)
