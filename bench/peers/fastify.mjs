// what a user would put together instead: Fastify, its proxy and its JWT plugin. Reads PORT, UPSTREAM and PUBLIC_KEY (PEM).
import proxy from '@fastify/http-proxy'
import jwt from '@fastify/jwt'
import Fastify from 'fastify'

const app = Fastify({ logger: false })
await app.register(jwt, {
  secret: { public: process.env.PUBLIC_KEY },
  // remembers verified tokens, as our gateway does
  verify: { algorithms: ['EdDSA'], allowedIss: 'healthmed', allowedAud: 'healthmed-api', cache: true }
})
await app.register(proxy, {
  upstream: process.env.UPSTREAM,
  preHandler: (request) => request.jwtVerify(),
  undici: { connections: 128, pipelining: 1, keepAliveTimeout: 60_000 }
})
await app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' })
