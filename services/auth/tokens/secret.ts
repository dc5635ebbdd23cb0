import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** An opaque token `id.secret`: found by its id, proved by its secret, of which only the SHA-256 is stored. */
export type Secret = { id: string; token: string; hash: string }

/** Makes a token with 256 random bits. */
export function makeSecret(): Secret {
  const id = Bun.randomUUIDv7()
  const secret = randomBytes(32).toString('base64url')
  return { id, token: `${id}.${secret}`, hash: hashOf(secret) }
}

const form = /^([0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12})\.([A-Za-z0-9_-]{43})$/

/** The two parts of a token that came in; undefined where it cannot be one of ours. */
export function readSecret(token: string): { id: string; matches: (hash: string) => boolean } | undefined {
  const [, id, secret] = form.exec(token) ?? []
  if (!id || !secret) return undefined
  const given = Buffer.from(hashOf(secret))
  return { id, matches: (hash) => timingSafeEqual(given, Buffer.from(hash)) }
}

const hashOf = (secret: string) => createHash('sha256').update(secret).digest('base64url')
