import type { Server } from 'bun'
import type { Caller, Role, Verify } from '#platform/caller'
import type { Handler } from '#platform/http'
import { describeError, log, requestIdFrom, traceparentFrom } from '#platform/log'
import { httpRequests } from '#platform/metrics'
import { Problem, problemBody } from '#platform/problem'
import { CLOSE, readBody } from './body.ts'
import type { ClientOf } from './clients.ts'
import { type Cors, withCors } from './cors.ts'
import { ClientLeft, forward } from './forward.ts'
import type { Count, Told } from './limits.ts'
import { type Endpoint, matcherOf, targetOf } from './match.ts'
import type { Room } from './room.ts'
import { routes, type Service, STREAM } from './routes.ts'
import type { Upstream } from './upstreams.ts'

/** What the gateway needs: where the services are, the check of tokens and whether it has its keys, limits, its own pages. */
export type Needs = {
  upstreams: Record<Service, Upstream>
  verify: Verify
  keysKnown: () => boolean
  count: Count | undefined
  clientOf: ClientOf
  scheme: string
  cors: Cors
  room: Room
  pages: Handler
  draining: () => boolean
  patience?: Patience
}

/** How long the headers of a service's answer and the body of a client's request may take, in milliseconds. */
export type Patience = { answerMs: number; bodyMs: number }
const patience: Patience = { answerMs: 15_000, bodyMs: 10_000 }

/** Answers one request of a client. */
export type Gateway = (request: Request, server: Server<undefined>) => Promise<Response>

/** A request while it is worked on. */
type Work = {
  requestId: string
  traceparent: string
  started: number
  path: string
  route: string
  told: Told | undefined
  personal: boolean
}

/** The gateway: finds the route, checks token, role and limits, forwards, and finishes every answer in the same way. */
export function gatewayOf(needs: Needs): Gateway {
  const find = matcherOf(routes)
  const { answerMs, bodyMs } = needs.patience ?? patience

  const call = async (request: Request, server: Server<undefined>, work: Work, query: string, endpoint: Endpoint): Promise<Response> => {
    const { headers, method } = request
    const route = endpoint.methods.get(method)
    if (!route) return refuseMethod(method, endpoint)
    const client = needs.clientOf(server.requestIP(request)?.address, headers.get('x-forwarded-for'))
    const who = route.roles && (await admit(needs, headers.get('authorization'), route.roles))
    work.personal = who !== null
    work.told = await needs.count?.(route.tier, who?.id, client)
    const body = await readBody(request, bodyMs)
    const leave = needs.room.take(route.path === STREAM ? 'streams' : 'calls')
    let stays = false
    try {
      const { requestId, traceparent } = work
      const target = work.path + query
      const sent = { method, target, headers, body, client, scheme: needs.scheme, requestId, traceparent, signal: request.signal }
      const { answer, isStream } = await forward(needs.upstreams[route.service], sent, answerMs, leave)
      if (isStream) server.timeout(request, 0)
      stays = isStream
      return answer
    } finally {
      if (!stays) leave()
    }
  }

  return async (request, server) => {
    const { headers } = request
    const target = headers.get('host')?.includes(',') ? undefined : targetOf(request.url)
    if (target && !isForwarded(target.path)) return ownPage(needs, request, server)
    const work: Work = {
      requestId: requestIdFrom(headers.get('x-request-id')),
      traceparent: traceparentFrom(headers.get('traceparent')),
      started: performance.now(),
      path: target?.path ?? '/',
      route: 'unmatched',
      told: undefined,
      personal: false
    }
    let answer: Response
    try {
      if (!target) throw new Problem('bad_request', 'The path or the Host header is not one that can be served', CLOSE)
      const endpoint = find(target.path)
      if (!endpoint) throw new Problem('not_found')
      work.route = endpoint.path
      answer = await call(request, server, work, target.query, endpoint)
    } catch (error) {
      answer = refusal(error, work, request.method)
    }
    return finish(answer, work, request, needs)
  }
}

const isForwarded = (path: string) => path.startsWith('/v1/') || path.startsWith('/.well-known/')

async function ownPage(needs: Needs, request: Request, server: Server<undefined>): Promise<Response> {
  const answer = await needs.pages(request, server.requestIP(request)?.address)
  secure(answer.headers)
  if (needs.draining()) answer.headers.set('connection', 'close')
  return answer
}

/** Who calls. Throws the 401 of a bad token, `forbidden`, and `upstream_unavailable` while no key is known to check tokens with. */
async function admit({ verify, keysKnown }: Needs, authorization: string | null, roles: readonly Role[]): Promise<Caller> {
  if (authorization && !keysKnown()) throw new Problem('upstream_unavailable', undefined, { retryAfter: 2 })
  const who = await verify(authorization)
  if (roles.length > 0 && !roles.includes(who.role)) throw new Problem('forbidden')
  return who
}

function refuseMethod(method: string, { allow }: Endpoint): Response {
  if (method === 'OPTIONS') return new Response(null, { status: 204, headers: { allow } })
  throw new Problem('method_not_allowed', undefined, { headers: { allow } })
}

function refusal(error: unknown, { requestId, path }: Work, method: string): Response {
  if (error instanceof ClientLeft) return new Response(null, { status: 499 })
  const problem = error instanceof Problem ? error : new Problem('internal_error')
  if (problem !== error) log.error({ requestId, ...describeError(error) }, 'request failed')
  const headers = { ...problem.headers, 'content-type': 'application/problem+json' }
  if (method === 'HEAD') return new Response(null, { status: problem.status, headers })
  return new Response(JSON.stringify(problemBody(problem, path, requestId)), { status: problem.status, headers })
}

function finish(answer: Response, work: Work, request: Request, needs: Needs): Response {
  const { headers, status } = answer
  headers.set('x-request-id', work.requestId)
  secure(headers)
  if (work.told && !headers.has('ratelimit')) {
    headers.set('ratelimit-policy', work.told['ratelimit-policy'])
    headers.set('ratelimit', work.told.ratelimit)
  }
  if ((work.personal || status >= 400) && !headers.has('cache-control')) headers.set('cache-control', 'no-store')
  if (needs.draining()) headers.set('connection', 'close')
  withCors(needs.cors, request, headers)
  record(work, request.method, status)
  return answer
}

/** Headers that every answer has; a page's own stricter policy stays. */
function secure(headers: Headers): void {
  headers.set('x-content-type-options', 'nosniff')
  headers.set('x-frame-options', 'DENY')
  headers.set('referrer-policy', 'no-referrer')
  headers.set('cross-origin-opener-policy', 'same-origin')
  if (!headers.has('content-security-policy')) headers.set('content-security-policy', "default-src 'none'; frame-ancestors 'none'")
}

function record({ requestId, traceparent, route, started }: Work, method: string, status: number): void {
  const ms = performance.now() - started
  httpRequests.observe({ method, route, status: String(status) }, ms / 1000)
  log.info({ requestId, traceId: traceparent.slice(3, 35), method, route, status, ms: Math.round(ms * 10) / 10 }, 'request')
}
