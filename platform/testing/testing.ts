import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { connect, type Sql } from '../data/db.ts'
import { roleUrl, type Schema, schemas } from '../data/provision.ts'
import { AUDIENCE, ISSUER, type Role, TOKEN_TYPE, type Verify, verifierOf } from '../identity/caller.ts'
import { type EndedSessions, endedSessions } from '../identity/ended-sessions.ts'

/** The template database with every schema migrated, made by `bun run test`. */
export const TEMPLATE = 'healthmed_template'
/** Passwords of the roles on a test server: it listens on this machine only and lives as long as the run. */
export const testPassword = 'test'

const needed = (name: string): string => {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set: tests run with \`bun run test [file]\``)
  return value
}

/** A database of a test file's own. `url` and `sql` are the service's role, `ownerUrl` the schema owner's, `adminUrl` the superuser's. */
export type TestDatabase = {
  name: string
  url: string
  ownerUrl: string
  adminUrl: string
  sql: Sql
  urlOf: (schema: Schema) => string
  close: () => Promise<void>
}

/** Clones the migrated template: a test file has its own database in some 50 ms. */
export async function testDatabase(schema: Schema, { max = 10 }: { max?: number } = {}): Promise<TestDatabase> {
  const server = needed('TEST_POSTGRES_URL')
  const name = `test_${crypto.randomUUID().replaceAll('-', '').slice(0, 16)}`
  const admin = connect(server, { name: 'testing', max: 1 })
  await admin.unsafe(`create database "${name}" template "${TEMPLATE}"`)
  for (const role of schemas) await admin.unsafe(`grant connect on database "${name}" to "${role}", "${role}_owner"`)
  const urlOf = (owned: Schema) => roleUrl(server, name, owned, testPassword)
  const sql = connect(urlOf(schema), { name: 'test', max })
  return {
    name,
    url: urlOf(schema),
    ownerUrl: roleUrl(server, name, `${schema}_owner`, testPassword),
    adminUrl: roleUrl(server, name),
    sql,
    urlOf,
    close: async () => {
      await sql.end({ timeout: 2 })
      await admin.unsafe(`drop database if exists "${name}" with (force)`)
      await admin.end({ timeout: 2 })
    }
  }
}

/** A virtual host of a test file's own on the real broker; `call` asks the broker's management API. */
export type TestBroker = {
  url: string
  vhost: string
  call: (method: string, path: string, body?: unknown) => Promise<void>
  close: () => Promise<void>
}

/** Makes it. */
export async function testBroker(): Promise<TestBroker> {
  const vhost = `test-${crypto.randomUUID().slice(0, 13)}`
  const api = new URL(needed('TEST_RABBITMQ_API'))
  const authorization = `Basic ${btoa(`${decodeURIComponent(api.username)}:${decodeURIComponent(api.password)}`)}`
  const call = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(`${api.origin}/api${path}`, {
      method,
      headers: { authorization, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) })
    })
    if (!response.ok) throw new Error(`the broker's API answered ${response.status} to ${method} ${path}`)
  }
  await call('PUT', `/vhosts/${vhost}`)
  await call('PUT', `/permissions/${vhost}/${api.username}`, { configure: '.*', write: '.*', read: '.*' })
  const url = new URL(needed('TEST_RABBITMQ_URL'))
  url.pathname = `/${vhost}`
  return { url: url.href, vhost, call, close: () => call('DELETE', `/vhosts/${vhost}`) }
}

/** Signs access tokens with a key of its own, as auth would, and verifies them as the services do. */
export type Signer = {
  verify: Verify
  bearer: (who: { id?: string; role?: Role; name?: string; emailVerified?: boolean; sid?: string; isRejected?: boolean }) => Promise<string>
  /** Ends a session. */
  end: (sid: string) => void
  endWith: EndedSessions['endWith']
  jwk: Record<string, unknown>
}

/** A signer for tests of one service alone. `nowMs` is the clock that decides on expiry. */
export async function signer(nowMs: () => number = Date.now): Promise<Signer> {
  const { privateKey, publicKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519' })
  const sessions = endedSessions()
  const verify = verifierOf({ keyFor: async () => publicKey, isEnded: sessions.isEnded }, nowMs)
  const bearer: Signer['bearer'] = async ({ id, role = 'patient', name = 'Ana Conceição', emailVerified = true, sid, isRejected }) => {
    const claims: JWTPayload = {
      sid: sid ?? Bun.randomUUIDv7(),
      role,
      name,
      email_verified: emailVerified,
      ...(isRejected && { approval: 'rejected' })
    }
    const iat = Math.floor(nowMs() / 1000)
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'EdDSA', kid: 'test', typ: TOKEN_TYPE })
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setSubject(id ?? Bun.randomUUIDv7())
      .setIssuedAt(iat)
      .setExpirationTime(iat + 600)
      .sign(privateKey)
    return `Bearer ${token}`
  }
  return {
    verify,
    bearer,
    end: (sid) => sessions.add(sid, Number.POSITIVE_INFINITY),
    endWith: sessions.endWith,
    jwk: { ...(await exportJWK(publicKey)), kid: 'test', alg: 'EdDSA', use: 'sig' }
  }
}

/** Waits until `check` gives something, asking every 20 ms; throws after `limitMs`. A wait for a condition, never for a time. */
export async function eventually<T>(check: () => Promise<T | undefined | false> | T | undefined | false, limitMs = 25_000): Promise<T> {
  const until = performance.now() + limitMs
  for (;;) {
    const found = await check()
    if (found) return found
    if (performance.now() > until) throw new Error(`not there after ${limitMs} ms: ${check.toString().slice(0, 120)}`)
    await Bun.sleep(20)
  }
}
