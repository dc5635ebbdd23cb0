// the same in Express, with the proxy and the token library most often used with it. Reads PORT, UPSTREAM and PUBLIC_KEY (PEM).
import { Agent } from 'node:http'
import express from 'express'
import { createProxyMiddleware } from 'http-proxy-middleware'
import jwt from 'jsonwebtoken'

const app = express()
app.disable('x-powered-by')
app.disable('etag')
app.use((request, response, next) => {
  try {
    // Ed25519 is not in this library: the peer signs and checks with ECDSA, which is the nearest that it has
    jwt.verify(request.headers.authorization?.slice(7) ?? '', process.env.PUBLIC_KEY, {
      algorithms: ['ES256'],
      issuer: 'healthmed',
      audience: 'healthmed-api'
    })
    next()
  } catch {
    response.status(401).end()
  }
})
app.use(createProxyMiddleware({ target: process.env.UPSTREAM, agent: new Agent({ keepAlive: true, maxSockets: 256 }), logger: undefined }))
app.listen(Number(process.env.PORT), '127.0.0.1')
