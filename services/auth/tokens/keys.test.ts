import { afterAll, beforeAll, expect, test } from 'bun:test'
import { decodeProtectedHeader } from 'jose'
import SQL from 'sql-template-strings'
import { rows } from '#platform/data/db'
import { type Rig, rigOf } from '../testing/testing.ts'
import { retire, rotate } from './keys.ts'

let rig: Rig
beforeAll(async () => {
  rig = await rigOf({ replicas: 3 })
})
afterAll(() => rig?.stop())

const published = async () => (await rig.call<{ keys: { kid: string; d?: string }[] }>('GET', '/.well-known/jwks.json')).body.keys
const kidOf = (token: string) => decodeProtectedHeader(token).kid as string
const me = async (token: string) => (await rig.call('GET', '/v1/auth/me', { token })).status

test('replicas that start at once make one key, of which nothing private leaves', async () => {
  const keys = await published()
  expect(keys).toHaveLength(1)
  expect(Object.keys(keys[0] as object).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x'])
  const stored = await rows<{ text: string }>(rig.sql, SQL`select to_jsonb(signing_keys)::text as text from signing_keys`)
  expect(stored[0]?.text).not.toContain('"d"')
})

test('an access token says what the contract names, and is of a type of its own', async () => {
  const { accessToken, id, name } = await rig.person()
  expect(decodeProtectedHeader(accessToken)).toEqual({ alg: 'EdDSA', kid: (await published())[0]?.kid as string, typ: 'at+jwt' })
  const claims = JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString())
  expect(claims).toMatchObject({
    iss: 'healthmed',
    aud: 'healthmed-api',
    sub: id,
    name,
    role: 'patient',
    sid: expect.any(String),
    iat: expect.any(Number)
  })
  expect(claims.exp).toBe(rig.now().epochMilliseconds / 1000 + 600)
})

test('a new key is known before it signs, and an old one is trusted until its last token has run', async () => {
  const person = await rig.person()
  const [first] = await published()
  const kid = await rotate(rig.sql, rig.seal, rig.now())
  await rig.catchUp()
  expect((await published()).map((key) => key.kid)).toEqual([first?.kid as string, kid])
  expect(kidOf((await rig.login(person.email)).accessToken)).toBe(first?.kid as string)
  rig.pass({ minutes: 2 })
  const before = (await rig.login(person.email)).accessToken
  expect(kidOf(before)).toBe(kid)
  expect(await me(person.accessToken)).toBe(200)
  expect(await retire(rig.sql, rig.now())).toEqual([])
  rig.pass({ minutes: 11, seconds: 1 })
  expect(await retire(rig.sql, rig.now())).toEqual([first?.kid as string])
  await rig.catchUp()
  expect((await published()).map((key) => key.kid)).toEqual([kid])
  expect(await me((await rig.login(person.email)).accessToken)).toBe(200)
  expect(await retire(rig.sql, rig.now())).toEqual([])
})
