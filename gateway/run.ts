import type { Static } from '@sinclair/typebox'
import { handlerOf } from '#platform/http/app'
import { drain } from '#platform/http/health'
import { trustAuth } from '#platform/identity/auth-keys'
import { verifierOf } from '#platform/identity/caller'
import { gauge } from '#platform/setup/metrics'
import type { Step } from '#platform/setup/stop'
import { gatewayOf } from './app.ts'
import { roomFor } from './limits/capacity.ts'
import { clientsBehind } from './limits/client-address.ts'
import { corsOf } from './limits/cors.ts'
import { lagWatch } from './limits/overload.ts'
import { limitsOf } from './limits/rate-limit.ts'
import { ownPages } from './pages/gateway-routes.ts'
import { serve } from './serve.ts'
import type { settingsSchema } from './settings.ts'
import { upstreamOf } from './upstream/upstreams.ts'

const FAREWELL_MS = 1_000

/** A gateway that takes requests: whether it is ready, and how it is stopped. */
export type Running = { isReady: () => boolean; steps: Step[] }

/** Takes requests at the port of the settings, which several processes of one machine may share. */
export async function runGateway(settings: Static<typeof settingsSchema>, { isShared }: { isShared: boolean }): Promise<Running> {
  const trust = await trustAuth(settings.AUTH_URL)
  const upstreams = {
    auth: await upstreamOf('auth', settings.AUTH_URL),
    scheduling: await upstreamOf('scheduling', settings.SCHEDULING_URL),
    notifier: await upstreamOf('notifier', settings.NOTIFIER_URL)
  }
  const state = { draining: false }
  const lag = lagWatch(settings.MAX_LAG_MS)
  const room = roomFor(
    { calls: settings.MAX_IN_FLIGHT, streams: settings.MAX_STREAMS, streamsOfOne: settings.MAX_STREAMS_PER_CALLER },
    lag.isLate
  )
  gauge('requests_in_flight', 'What is being forwarded: calls and event streams', ['kind'], function () {
    this.set({ kind: 'calls' }, room.taken('calls'))
    this.set({ kind: 'streams' }, room.taken('streams'))
  })
  const verify = verifierOf(trust)
  const gateway = gatewayOf({
    upstreams,
    verify,
    endWith: trust.endWith,
    keysKnown: trust.ready,
    count: settings.RATE_LIMIT === 'on' ? limitsOf() : undefined,
    clientOf: clientsBehind(settings.TRUSTED_PROXIES),
    scheme: new URL(settings.PUBLIC_URL).protocol.slice(0, -1),
    cors: corsOf(settings.CORS_ORIGINS),
    room,
    pages: handlerOf(ownPages(upstreams, verify)),
    draining: () => state.draining
  })
  const server = serve(gateway, { port: settings.PORT, host: settings.HOST, isShared })
  return {
    isReady: trust.ready,
    steps: [
      ['readiness', drain],
      ['keep-alive', () => Object.assign(state, { draining: true })],
      // every client is told to come back on another connection before the listener goes: none is cut off in the act of asking
      ['farewell', () => Bun.sleep(FAREWELL_MS)],
      ['requests', server.stop],
      ['lag', lag.stop],
      ['upstreams', () => Object.values(upstreams).forEach((upstream) => void upstream.stop())],
      ['keys', trust.stop]
    ]
  }
}
