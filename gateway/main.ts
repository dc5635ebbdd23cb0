import { Elysia } from 'elysia'
import { verifierOf } from '#platform/caller'
import { handlerOf, http, listen, problems } from '#platform/http'
import { trustAuth } from '#platform/keys'
import { gauge } from '#platform/metrics'
import { drain, ops } from '#platform/ops'
import { readSettings } from '#platform/settings'
import { stopOnSignal } from '#platform/stop'
import { gatewayOf } from './app.ts'
import { clientsBehind } from './clients.ts'
import { corsOf } from './cors.ts'
import { limitsOf } from './limits.ts'
import { ownPages } from './own.ts'
import { roomFor } from './room.ts'
import { serve } from './serve.ts'
import { settingsSchema } from './settings.ts'
import { upstreamOf } from './upstreams.ts'

const FAREWELL_MS = 1_000
const settings = readSettings(settingsSchema)
const trust = await trustAuth(settings.AUTH_URL)
const upstreams = {
  auth: await upstreamOf('auth', settings.AUTH_URL),
  scheduling: await upstreamOf('scheduling', settings.SCHEDULING_URL),
  notifier: await upstreamOf('notifier', settings.NOTIFIER_URL)
}
const state = { draining: false }
const room = roomFor({ calls: settings.MAX_IN_FLIGHT, streams: settings.MAX_STREAMS })
gauge('requests_in_flight', 'What is being forwarded: calls and event streams', ['kind'], function () {
  this.set({ kind: 'calls' }, room.taken('calls'))
  this.set({ kind: 'streams' }, room.taken('streams'))
})
const gateway = gatewayOf({
  upstreams,
  verify: verifierOf(trust),
  keysKnown: trust.ready,
  count: settings.RATE_LIMIT === 'on' ? limitsOf() : undefined,
  clientOf: clientsBehind(settings.TRUSTED_PROXIES),
  scheme: new URL(settings.PUBLIC_URL).protocol.slice(0, -1),
  cors: corsOf(settings.CORS_ORIGINS),
  room,
  pages: handlerOf(ownPages(upstreams)),
  draining: () => state.draining
})
const server = serve(gateway, { port: settings.PORT, host: settings.HOST })
// for those who run the system, on a port of its own that no client reaches
const inside = new Elysia(http).use(problems).use(ops([{ name: 'keys', critical: true, up: trust.ready }]))
const opsServer = listen(handlerOf(inside), { port: settings.OPS_PORT, host: settings.HOST })

stopOnSignal([
  ['readiness', drain],
  ['keep-alive', () => Object.assign(state, { draining: true })],
  // every client is told to come back on another connection before the listener goes: none is cut off in the act of asking
  ['farewell', () => Bun.sleep(FAREWELL_MS)],
  ['requests', server.stop],
  ['upstreams', () => Object.values(upstreams).forEach((upstream) => void upstream.stop())],
  ['keys', trust.stop],
  ['operations', opsServer.stop]
])
