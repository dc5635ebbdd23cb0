/*
 * What stands behind every gateway that is compared: answers one JSON document of about a kilobyte, and is auth as well (signing keys, no ended
 * session) for the gateway that asks. Reads PORT and JWK, the public key as JSON.
 */
const item = { id: '0198c2f1-7d3e-7aa0-9c55-1f6f3f3f0001', start: '2027-01-05T11:00:00Z', end: '2027-01-05T11:30:00Z', status: 'confirmed' }
const body = JSON.stringify({ items: Array.from({ length: 8 }, () => item), nextCursor: null })
const keys = JSON.stringify({ keys: [JSON.parse(process.env.JWK ?? '{}')] })
const json = { headers: { 'content-type': 'application/json' } }

Bun.serve({
  port: Number(process.env.PORT),
  hostname: '127.0.0.1',
  idleTimeout: 120,
  fetch: ({ url }) => {
    if (url.endsWith('/.well-known/jwks.json')) return new Response(keys, json)
    if (url.includes('/internal/ended-sessions')) return Response.json({ items: [], now: new Date().toISOString() })
    return new Response(body, json)
  }
})
