import { Elysia, t } from 'elysia'
import { instantOf } from '#platform/schema'
import type { Needs } from '../app.ts'
import { endedSince } from '../sessions/end.ts'

const Jwk = t.Object({
  kty: t.String({ examples: ['OKP'] }),
  crv: t.String({ examples: ['Ed25519'] }),
  x: t.String(),
  kid: t.String(),
  alg: t.String({ examples: ['EdDSA'] }),
  use: t.String({ examples: ['sig'] })
})

/** What others need to trust a token: the public keys, and for the gateways and services the sessions that ended. */
export const tokenRoutes = ({ sql, keys, clock }: Needs) =>
  new Elysia({ name: 'tokens' })
    .get(
      '/.well-known/jwks.json',
      ({ set }) => {
        set.headers['cache-control'] = 'public, max-age=30'
        return keys.keySet() as { keys: never[] }
      },
      {
        response: { 200: t.Object({ keys: t.Array(Jwk) }) },
        detail: { summary: 'The public signing keys (RFC 7517)', tags: ['Tokens'] }
      }
    )
    .get(
      '/internal/ended-sessions',
      async ({ query }) => {
        const now = clock().toString()
        const ended = await endedSince(sql, new Date(instantOf(query.since, '/since').epochMilliseconds))
        return { items: ended.map(({ sid, endedAt }) => ({ sid, endedAt: endedAt.toISOString() })), now }
      },
      { query: t.Object({ since: t.String({ maxLength: 40 }) }), detail: { hide: true } }
    )
