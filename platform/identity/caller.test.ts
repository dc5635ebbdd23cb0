import { expect, test } from 'bun:test'
import { generateKeyPair, SignJWT } from 'jose'
import { Problem } from '../http/problem.ts'
import { badTokens } from '../testing/bad-tokens.ts'
import { AUDIENCE, ISSUER, isAllowed, requireRole, TOKEN_TYPE, verifierOf } from './caller.ts'

const { privateKey, publicKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519' })
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

const claims = { iss: ISSUER, aud: AUDIENCE, sub: 'u', sid: 's', role: 'patient', name: 'Ana', iat: now - 5, exp: now + 600 }
const sign = (more: Record<string, unknown> = {}) =>
  new SignJWT({ ...claims, ...more }).setProtectedHeader({ alg: 'EdDSA', kid: 'one', typ: TOKEN_TYPE }).sign(privateKey)
const codeOf = (authorization: string | null) =>
  Promise.try(() => verify(authorization)).then(
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

test('a token of a rejected doctor says so, and opens nothing that asks for a role', async () => {
  const who = await verify(`Bearer ${await sign({ role: 'doctor', approval: 'rejected' })}`)
  expect(who).toMatchObject({ role: 'doctor', isRejected: true })
  expect([isAllowed(who, []), isAllowed(who, ['doctor']), isAllowed(who, ['patient', 'doctor'])]).toEqual([true, false, false])
  const other = await verify(`Bearer ${await sign({ role: 'doctor', approval: 'approved' })}`)
  expect([isAllowed(other, ['doctor']), isAllowed(other, ['admin'])]).toEqual([true, false])
})

test('a token of a person who must enrol a second factor is good for the own account alone, and a wrong role is told first', async () => {
  const who = await verify(`Bearer ${await sign({ role: 'admin', enrol: true })}`)
  expect(who).toMatchObject({ role: 'admin', mustEnrol: true })
  expect(() => requireRole(who, [])).not.toThrow()
  expect(() => requireRole(who, ['admin'])).toThrow(new Problem('mfa_enrolment_required'))
  expect(() => requireRole(who, ['patient', 'doctor'])).toThrow(new Problem('forbidden'))
  // nothing but true is the mark: no other token can be taken for one
  expect(await verify(`Bearer ${await sign({ role: 'admin', enrol: 'true' })}`)).not.toHaveProperty('mustEnrol')
})

test('a remembered token still expires and still ends with its session', async () => {
  const token = `Bearer ${await sign({ sid: 'other' })}`
  expect(await codeOf(token)).toBe('let in')
  ended.add('other')
  expect(await codeOf(token)).toBe('token_revoked')
  ended.delete('other')
  clock = (now + 601) * 1000
  expect(await codeOf(token)).toBe('token_expired')
  clock = now * 1000
})

const bad = await badTokens({ privateKey, publicKey, kid: 'one', claims: { ...claims, iat: now } })

test.each(bad)('%s is refused', async (_, authorization, code) => {
  expect(await codeOf(authorization)).toBe(code)
})
