import { expect, test } from 'bun:test'
import { exportSPKI, generateKeyPair, SignJWT } from 'jose'
import { AUDIENCE, ISSUER, TOKEN_TYPE, verifierOf } from './caller.ts'
import { Problem } from './problem.ts'

const { privateKey, publicKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519' })
const stranger = await generateKeyPair('EdDSA', { crv: 'Ed25519' })
const now = 1_800_000_000
const ended = new Set<string>()
let asked = 0
const keyFor = async (header: { kid?: string }) => {
  asked++
  if (header.kid !== 'one') throw new Error('no such key')
  return publicKey
}
let clock = now * 1000
const verify = verifierOf({ keyFor, isEnded: (sid) => ended.has(sid) }, () => clock)

type Changes = { header?: Record<string, unknown>; claims?: Record<string, unknown>; key?: CryptoKey }
const claims = { iss: ISSUER, aud: AUDIENCE, sub: 'u', sid: 's', role: 'patient', name: 'Ana', iat: now - 5, exp: now + 600 }
const sign = ({ header, claims: more, key = privateKey }: Changes = {}) =>
  new SignJWT({ ...claims, ...more }).setProtectedHeader({ alg: 'EdDSA', kid: 'one', typ: TOKEN_TYPE, ...header }).sign(key)
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const codeOf = (authorization: string | null) =>
  verify(authorization).then(
    () => 'let in',
    (error: unknown) => (error instanceof Problem ? error.code : 'not a problem')
  )

test('a good token tells who calls, and is checked once only', async () => {
  const token = await sign()
  asked = 0
  const who = await verify(`Bearer ${token}`)
  expect(who).toEqual({ id: 'u', sid: 's', role: 'patient', name: 'Ana', emailVerified: false, expiresAt: now + 600 })
  expect(await verify(`Bearer ${token}`)).toBe(who)
  expect(asked).toBe(1)
})

test('a remembered token still expires and still ends with its session', async () => {
  const token = `Bearer ${await sign({ claims: { sid: 'other' } })}`
  expect(await codeOf(token)).toBe('let in')
  ended.add('other')
  expect(await codeOf(token)).toBe('token_revoked')
  ended.delete('other')
  clock = (now + 601) * 1000
  expect(await codeOf(token)).toBe('token_expired')
  clock = now * 1000
})

const spki = await exportSPKI(publicKey)
const good = await sign()
const [head, body, signature] = good.split('.') as [string, string, string]
const hmac = await new SignJWT(claims)
  .setProtectedHeader({ alg: 'HS256', kid: 'one', typ: TOKEN_TYPE })
  .sign(new TextEncoder().encode(spki))

const bad: [what: string, authorization: string | null, code: string][] = [
  ['no header', null, 'unauthenticated'],
  ['an empty header', '', 'unauthenticated'],
  ['another scheme', `Basic ${btoa('a:b')}`, 'unauthenticated'],
  ['the scheme alone', 'Bearer', 'token_invalid'],
  ['two tokens', `Bearer ${good}, Bearer ${good}`, 'token_invalid'],
  ['a token after the token', `Bearer ${good} ${good}`, 'token_invalid'],
  ['two parts', `Bearer ${head}.${body}`, 'token_invalid'],
  ['four parts', `Bearer ${good}.x`, 'token_invalid'],
  ['no signature', `Bearer ${head}.${body}.`, 'token_invalid'],
  ['a truncated signature', `Bearer ${good.slice(0, -8)}`, 'token_invalid'],
  ['a changed body', `Bearer ${head}.${encode({ ...claims, role: 'admin' })}.${signature}`, 'token_invalid'],
  ['alg none', `Bearer ${encode({ alg: 'none', typ: TOKEN_TYPE })}.${body}.`, 'token_invalid'],
  ['alg none with a signature', `Bearer ${encode({ alg: 'none', kid: 'one', typ: TOKEN_TYPE })}.${body}.${signature}`, 'token_invalid'],
  ['HS256 over the public key', `Bearer ${hmac}`, 'token_invalid'],
  ['another key', `Bearer ${await sign({ key: stranger.privateKey })}`, 'token_invalid'],
  ['an unknown kid', `Bearer ${await sign({ header: { kid: 'two' } })}`, 'token_invalid'],
  ['a path for a kid', `Bearer ${await sign({ header: { kid: '../../etc/passwd' } })}`, 'token_invalid'],
  ['SQL for a kid', `Bearer ${await sign({ header: { kid: "' or 1=1 --" } })}`, 'token_invalid'],
  ['no kid', `Bearer ${await sign({ header: { kid: undefined } })}`, 'token_invalid'],
  ['a key in the header', `Bearer ${await sign({ header: { kid: 'two', jwk: {} } })}`, 'token_invalid'],
  ['a key set in the header', `Bearer ${await sign({ header: { kid: 'two', jku: 'http://localhost/keys' } })}`, 'token_invalid'],
  ['a certificate in the header', `Bearer ${await sign({ header: { kid: 'two', x5u: 'http://localhost/x' } })}`, 'token_invalid'],
  [
    'an unknown critical extension',
    `Bearer ${encode({ alg: 'EdDSA', kid: 'one', typ: TOKEN_TYPE, crit: ['x'], x: 1 })}.${body}.${signature}`,
    'token_invalid'
  ],
  ['another type', `Bearer ${await sign({ header: { typ: 'JWT' } })}`, 'token_invalid'],
  ['no type', `Bearer ${await sign({ header: { typ: undefined } })}`, 'token_invalid'],
  ['another issuer', `Bearer ${await sign({ claims: { iss: 'else' } })}`, 'token_invalid'],
  ['another audience', `Bearer ${await sign({ claims: { aud: 'else' } })}`, 'token_invalid'],
  ['no audience', `Bearer ${await sign({ claims: { aud: undefined } })}`, 'token_invalid'],
  ['expired', `Bearer ${await sign({ claims: { exp: now } })}`, 'token_expired'],
  ['no expiry', `Bearer ${await sign({ claims: { exp: undefined } })}`, 'token_invalid'],
  ['an expiry that is no number', `Bearer ${await sign({ claims: { exp: 'never' } })}`, 'token_invalid'],
  ['not yet valid', `Bearer ${await sign({ claims: { nbf: now + 60 } })}`, 'token_invalid'],
  ['no subject', `Bearer ${await sign({ claims: { sub: undefined } })}`, 'token_invalid'],
  ['no session', `Bearer ${await sign({ claims: { sid: undefined } })}`, 'token_invalid'],
  ['no role', `Bearer ${await sign({ claims: { role: undefined } })}`, 'token_invalid'],
  ['an unknown role', `Bearer ${await sign({ claims: { role: 'root' } })}`, 'token_invalid'],
  ['a list of roles', `Bearer ${await sign({ claims: { role: ['admin'] } })}`, 'token_invalid'],
  ['a refresh token', 'Bearer 0190a5b2-0000-7000-8000-000000000000.c2VjcmV0', 'token_invalid'],
  ['64 KiB of token', `Bearer ${'a'.repeat(65_536)}`, 'token_invalid'],
  ['percent signs', 'Bearer %00.%00.%00', 'token_invalid'],
  ['dots only', 'Bearer ..', 'token_invalid'],
  ['a body that is no JSON', `Bearer ${head}.${Buffer.from('{').toString('base64url')}.${signature}`, 'token_invalid']
]

test.each(bad)('%s is refused', async (_, authorization, code) => {
  expect(await codeOf(authorization)).toBe(code)
})
