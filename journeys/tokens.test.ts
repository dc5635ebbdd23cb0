import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createDecipheriv } from 'node:crypto'
import { decodeJwt, importJWK } from 'jose'
import SQL from 'sql-template-strings'
import { connect, one } from '#platform/data/db'
import { type BadToken, badTokens } from '#platform/testing/bad-tokens'
import { eventually } from '#platform/testing/testing'
import { call, logIn, newPatient, type Person } from './client.ts'
import { type System, startSystem } from './system.ts'

let system: System
let patient: Person
let doors: { name: string; url: string; path: string }[]

beforeAll(async () => {
  system = await startSystem()
  patient = await newPatient(system)
  doors = [
    { name: 'gateway', url: system.url, path: '/v1/auth/me' },
    { name: 'gateway', url: system.url, path: '/v1/appointments' },
    { name: 'auth', url: system.urlOf('auth'), path: '/v1/auth/me' },
    { name: 'scheduling', url: system.urlOf('scheduling'), path: '/v1/appointments' },
    { name: 'notifier', url: system.urlOf('notifier'), path: '/v1/admin/notifications' }
  ]
}, 120_000)
afterAll(() => system?.stop(), 30_000)

type Refusal = { code: string }
const knock = async (door: { url: string; path: string }, authorization: string | null) => {
  const answer = await call<Refusal>(door, 'GET', door.path, { headers: authorization === null ? {} : { authorization } })
  return { ...answer, challenge: answer.headers.get('www-authenticate') }
}

/** Signs with the system's own key, as a forger could who had stolen it but for one thing. */
async function forged(): Promise<BadToken[]> {
  const admin = connect(system.database.adminUrl, { name: 'forger', max: 1 })
  const key = await one<{ kid: string; privateSealed: string; publicJwk: object }>(
    admin,
    SQL`select kid, private_sealed, public_jwk from auth.signing_keys`
  )
  await admin.end()
  const [, nonce = '', tag = '', text = ''] = key.privateSealed.split('.')
  const [iv, mark, sealed] = [nonce, tag, text].map((part) => Buffer.from(part, 'base64url')) as [Buffer, Buffer, Buffer]
  const cipher = createDecipheriv('aes-256-gcm', Buffer.from(system.encryptionKey, 'hex'), iv)
  cipher.setAAD(Buffer.from(`signing_keys.${key.kid}`)).setAuthTag(mark)
  const jwk = JSON.parse(Buffer.concat([cipher.update(sealed), cipher.final()]).toString())
  const claims = decodeJwt(patient.token) as Record<string, unknown> & { iat: number }
  return badTokens({
    privateKey: (await importJWK(jwk, 'EdDSA', { extractable: true })) as CryptoKey,
    publicKey: (await importJWK(key.publicJwk, 'EdDSA', { extractable: true })) as CryptoKey,
    kid: key.kid,
    claims: { ...claims, iat: Math.floor(Date.now() / 1000) }
  })
}

test('forty bad tokens are refused at the gateway and at each service called directly, with a challenge and never a 5xx', async () => {
  const battery = (await forged()).filter(([what]) => what !== '64 KiB of token')
  expect(battery.length).toBeGreaterThanOrEqual(40)
  for (const door of doors) {
    for (const [what, authorization, code] of battery) {
      const { status, body, challenge } = await knock(door, authorization)
      expect([door.name, what, status, body.code]).toEqual([door.name, what, 401, code])
      expect(challenge).toStartWith('Bearer')
    }
  }
}, 30_000)

test('a token of 64 KiB is refused before anybody reads it', async () => {
  for (const door of doors) expect((await knock(door, `Bearer ${'a'.repeat(65_536)}`)).status).toBeWithin(400, 500)
})

test('an ended session is refused everywhere within two seconds', async () => {
  const { accessToken } = await logIn(system, patient.email)
  const authorization = `Bearer ${accessToken}`
  for (const door of doors) expect((await knock(door, authorization)).status).not.toBe(401)
  await call(system, 'POST', '/v1/auth/logout', { token: accessToken })
  for (const door of doors) await eventually(async () => (await knock(door, authorization)).body.code === 'token_revoked', 2_000)
})

test('nobody gets the role of another: a patient’s token opens no admin’s and no doctor’s door, at the edge or behind it', async () => {
  const paths = { auth: '/v1/admin/users', scheduling: '/v1/doctors/me/profile', notifier: '/v1/admin/notifications' } as const
  for (const [name, path] of Object.entries(paths)) {
    for (const url of [system.url, system.urlOf(name as keyof typeof paths)]) {
      const { status, body } = await call<Refusal>({ url }, 'GET', path, { token: patient.token })
      expect([name, status, body.code]).toEqual([name, 403, 'forbidden'])
    }
  }
})
