import type { Static } from '@sinclair/typebox'
import { verifierOf } from '#platform/caller'
import { handlerOf } from '#platform/http'
import { trustAuth } from '#platform/keys'
import { gauge } from '#platform/metrics'
import { drain } from '#platform/ops'
import type { Step } from '#platform/stop'
import { gatewayOf } from './app.ts'
import { clientsBehind } from './clients.ts'
import { corsOf } from './cors.ts'
import { lagWatch } from './lag.ts'
import { limitsOf } from './limits.ts'
import { ownPages } from './own.ts'
import { roomFor } from './room.ts'
import { serve } from './serve.ts'
import type { settingsSchema } from './settings.ts'
import { upstreamOf } from './upstreams.ts'

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
