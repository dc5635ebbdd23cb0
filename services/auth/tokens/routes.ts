import { Elysia, t } from 'elysia'
import { about } from '#platform/docs/about'
import { instantOf } from '#platform/http/schema'
import type { Needs } from '../app.ts'
import { endedSince } from '../sessions/end.ts'

const Jwk = t.Object({
  kty: t.String({ examples: ['OKP'] }),
  crv: t.String({ examples: ['Ed25519'] }),
  x: t.String({ examples: ['11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'], description: 'The public key, base64url' }),
  kid: t.String({ examples: ['019b0c00-4a1d-7e63-8f25-b97d0a3c6e14'], description: 'Which key a token names in its header' }),
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
        detail: about({
          summary: 'The public signing keys (RFC 7517)',
          description:
            'What access tokens are checked with (EdDSA, by `kid`). Keep them 30 s, and ask again for a `kid` that you do not know: a new key stands here before it signs.',
          answer: 'The keys that sign now or did lately',
          tags: ['Tokens']
        })
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
