import { Elysia } from 'elysia'
import { errors, jwtVerify } from 'jose'
import { Problem } from '../http/problem.ts'
import type { Trust } from './auth-keys.ts'

/** `iss` of every access token. */
export const ISSUER = 'healthmed'
/** `aud` of every access token. */
export const AUDIENCE = 'healthmed-api'
/** `typ` of an access token, RFC 9068: no other token that we sign can be taken for one. */
export const TOKEN_TYPE = 'at+jwt'

const roles = ['patient', 'doctor', 'admin'] as const
/** What a person is to the system. */
export type Role = (typeof roles)[number]

/**
 * Who calls, as the checked token says. `expiresAt` is in Unix seconds; `isRejected` marks a doctor whose registration was rejected, `mustEnrol` a person
 * whose role needs a second factor (REQUIRE_MFA) and who has none.
 */
export type Caller = {
  id: string
  sid: string
  role: Role
  name: string
  emailVerified: boolean
  expiresAt: number
  isRejected?: true
  mustEnrol?: true
}

/** Whether a caller may make a call that these roles may make (none named: anybody with a token). A rejected doctor has only the own account left. */
export const isAllowed = ({ role, isRejected }: Pick<Caller, 'role' | 'isRejected'>, roles: readonly Role[]): boolean =>
  roles.length === 0 || (!isRejected && roles.includes(role))

/**
 * Refuses a caller who may not make a call that these roles may make. A caller who must enrol a second factor first has only the own account left, where
 * that is done. Throws `forbidden`, `mfa_enrolment_required`.
 */
export function requireRole(who: Caller, roles: readonly Role[]): void {
  if (!isAllowed(who, roles)) throw new Problem('forbidden')
  if (roles.length > 0 && who.mustEnrol) throw new Problem('mfa_enrolment_required')
}

/** Reads an `Authorization` header; at once where the token is a remembered one. Throws or rejects with `unauthenticated`, `token_expired`, `token_invalid` or `token_revoked`. */
export type Verify = (authorization: string | null) => Caller | Promise<Caller>

const REMEMBERED_TOKENS = 50_000
const MAX_TOKEN_LENGTH = 4_096

/** A check of access tokens that remembers those it has verified until they expire. `nowMs` is the clock, Unix milliseconds. */
export function verifierOf({ keyFor, isEnded }: Pick<Trust, 'keyFor' | 'isEnded'>, nowMs: () => number = Date.now): Verify {
  const remembered = new Map<string, Caller>()
  const learn = async (authorization: string): Promise<Caller> => {
    const token = /^Bearer +([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)$/i.exec(authorization)?.[1]
    if (!token) throw new Problem(/^Bearer\b/i.test(authorization) ? 'token_invalid' : 'unauthenticated')
    const caller = await verify(token, keyFor, nowMs())
    if (isEnded(caller.sid)) throw new Problem('token_revoked')
    // the oldest goes first: a Map keeps the order in which its entries came
    if (remembered.size >= REMEMBERED_TOKENS) remembered.delete(remembered.keys().next().value as string)
    remembered.set(authorization, caller)
    return caller
  }
  return (authorization) => {
    if (!authorization) throw new Problem('unauthenticated')
    if (authorization.length > MAX_TOKEN_LENGTH) throw new Problem('token_invalid')
    const known = remembered.get(authorization)
    if (!known) return learn(authorization)
    if (known.expiresAt * 1000 <= nowMs()) {
      remembered.delete(authorization)
      throw new Problem('token_expired')
    }
    if (isEnded(known.sid)) throw new Problem('token_revoked')
    return known
  }
}

/** RFC 8725: algorithm, issuer, audience, type and the claims that must be there are all pinned. */
async function verify(token: string, keyFor: Trust['keyFor'], nowMs: number): Promise<Caller> {
  try {
    // a set of one key would do without the name, and a token of ours always bears it
    const named: Trust['keyFor'] = (header, jws) => (header.kid ? keyFor(header, jws) : Promise.reject(new Problem('token_invalid')))
    const { payload } = await jwtVerify(token, named, {
      algorithms: ['EdDSA'],
      issuer: ISSUER,
      audience: AUDIENCE,
      typ: TOKEN_TYPE,
      requiredClaims: ['exp', 'iat', 'sub', 'sid', 'role'],
      currentDate: new Date(nowMs)
    })
    const { sub, sid, role, name, exp, email_verified, approval, enrol } = payload
    if (!roles.includes(role as Role) || typeof sid !== 'string' || !sub || !exp) throw new Problem('token_invalid')
    return {
      id: sub,
      sid,
      role: role as Role,
      name: String(name ?? ''),
      emailVerified: email_verified === true,
      expiresAt: exp,
      ...(approval === 'rejected' && { isRejected: true }),
      ...(enrol === true && { mustEnrol: true })
    }
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw new Problem('token_expired')
    throw new Problem('token_invalid')
  }
}

const enforced = new WeakMap<object, readonly Role[]>()

/**
 * Gives the routes below it `who`, the caller, and refuses other roles than those named (none named: any). It runs before validation: who may not
 * call learns nothing of the schema.
 */
export const bearer = (verify: Verify, ...allowed: Role[]) => {
  const check = async ({ request }: { request: Request }) => {
    const who = await verify(request.headers.get('authorization'))
    requireRole(who, allowed)
    return { who }
  }
  enforced.set(check, allowed)
  return new Elysia({ name: 'bearer', seed: allowed }).derive({ as: 'scoped' }, check)
}

/** Who may call a route of an app, by the check that runs before it: null for everybody without a token, none for any caller with one. */
export function rolesOf({ hooks }: { hooks: { transform?: unknown } }): readonly Role[] | null {
  for (const { fn } of [hooks.transform ?? []].flat() as { fn: object }[]) {
    const allowed = enforced.get(fn)
    if (allowed) return allowed
  }
  return null
}
