import type { Server } from 'bun'
import { endOf, type Handler } from '#platform/http/app'
import { CLOSE } from '#platform/http/body'
import { Problem, problemBody } from '#platform/http/problem'
import { type Caller, type Role, requireRole, type Verify } from '#platform/identity/caller'
import type { EndedSessions } from '#platform/identity/ended-sessions'
import { describeError, log, requestIdFrom } from '#platform/setup/log'
import { httpRequests } from '#platform/setup/metrics'
import { openSpan, type Span } from '#platform/setup/spans'
import { endsConnection, readBody, refuseLarge } from './limits/body.ts'
import type { Room } from './limits/capacity.ts'
import type { ClientOf } from './limits/client-address.ts'
import { type Cors, withCors } from './limits/cors.ts'
import { type Count, pointsOf, type Told } from './limits/rate-limit.ts'
import { type Endpoint, matcherOf, targetOf } from './match.ts'
import { routes, type Service, STREAM } from './routes.ts'
import { ClientLeft, follow, forward, isStreamed } from './upstream/forward.ts'
import type { Received } from './upstream/http-client.ts'
import type { Upstream } from './upstream/upstreams.ts'

/** What the gateway needs: where the services are, the check of tokens, what ends with a session, and whether it has its keys, limits, its own pages. */
export type Needs = {
  upstreams: Record<Service, Upstream>
  verify: Verify
  endWith: EndedSessions['endWith']
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
  span: Span
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

  const call = async (request: Request, server: Server<undefined>, work: Work, query: string, endpoint: Endpoint): Promise<Received> => {
    const { headers, method } = request
    const route = endpoint.methods.get(method)
    if (!route) return refuseMethod(method, endpoint)
    const admitted = route.roles && admit(needs, headers.get('authorization'), route.roles)
    // what is known already is not waited for: that would cost more than it does
    const who = admitted instanceof Promise ? await admitted : admitted
    work.personal = who !== null
    // asking for an address costs a call of the system, and it is personal data: only limits by address get it, here and in a service
    const needsAddress = !who || route.tier !== 'general' || route.tellsAddress
    const client = needsAddress ? needs.clientOf(server.requestIP(request)?.address, headers.get('x-forwarded-for')) : undefined
    if (needs.count) work.told = await needs.count(route.tier, who?.id, client, pointsOf(route.price, query))
    const body = method === 'GET' ? refuseLarge(headers) : await readBody(request, bodyMs)
    const leave = needs.room.take(route.path === STREAM ? 'streams' : 'calls', who?.id)
    let stays = false
    try {
      const received = await forward(needs.upstreams[route.service], {
        method,
        target: work.path + query,
        headers,
        body,
        client,
        scheme: needs.scheme,
        requestId: work.requestId,
        traceparent: work.span.traceparent,
        isRepeatable: method === 'GET' || method === 'HEAD' || (route.keyed && headers.has('idempotency-key')),
        patienceMs: answerMs,
        hasLeft: () => request.signal.aborted
      })
      if (isStreamed(received.body) && received.headers['content-type']?.startsWith('text/event-stream')) {
        stays = true
        server.timeout(request, 0)
        // registered after the token was checked: a session that ended in between ends the stream as well
        const { end } = received.body
        const outlive = who && needs.endWith(who.sid, end)
        follow(received.body).then(() => {
          leave()
          outlive?.()
        })
      }
      return received
    } finally {
      if (!stays) leave()
    }
  }

  /** A refusal that came before anybody was counted counts against the address: bad tokens cost a check each. Gives what is to be answered. */
  const counted = async (error: unknown, work: Work, { headers }: Request, address: string | undefined): Promise<unknown> => {
    if (!needs.count || work.told || !(error instanceof Problem) || error.status === 429) return error
    try {
      work.told = await needs.count('general', undefined, needs.clientOf(address, headers.get('x-forwarded-for')))
      return error
    } catch (limit) {
      return limit
    }
  }

  return async (request, server) => {
    const target = request.headers.get('host')?.includes(',') ? undefined : targetOf(request.url)
    if (target && !isForwarded(target.path)) return ownPage(needs, request, server, target.path)
    const work = workOn(request, target?.path ?? '/')
    let answer: Received
    try {
      if (!target) throw new Problem('bad_request', 'The path or the Host header is not one that can be served', CLOSE)
      const endpoint = find(target.path)
      if (!endpoint) throw new Problem('not_found')
      work.route = endpoint.path
      answer = await call(request, server, work, target.query, endpoint)
    } catch (error) {
      answer = refusal(await counted(error, work, request, server.requestIP(request)?.address), work)
    }
    return finish(answer, work, request, needs)
  }
}

const workOn = ({ headers, method }: Request, path: string): Work => ({
  requestId: requestIdFrom(headers.get('x-request-id')),
  span: openSpan('server', method, headers.get('traceparent')),
  started: performance.now(),
  path,
  route: 'unmatched',
  told: undefined,
  personal: false
})

const isForwarded = (path: string) => path.startsWith('/v1/') || path.startsWith('/.well-known/')

/** Pages count as calls without a token do, and take a place as calls do; whoever watches the health is neither counted nor refused. */
async function ownPage(needs: Needs, request: Request, server: Server<undefined>, path: string): Promise<Response> {
  const address = server.requestIP(request)?.address
  let leave: (() => void) | undefined
  let answer: Response
  try {
    if (path !== '/health') {
      await needs.count?.('general', undefined, needs.clientOf(address, request.headers.get('x-forwarded-for')))
      leave = needs.room.take('calls')
    }
    answer = await needs.pages(request, address)
  } catch (error) {
    const work = workOn(request, path)
    return finish(refusal(error, work), work, request, needs)
  } finally {
    leave?.()
  }
  const headers = needs.scheme === 'https' ? protectionByTls : protection
  for (const [name, value] of Object.entries(headers)) if (!answer.headers.has(name)) answer.headers.set(name, value)
  if (needs.draining() || endsConnection(request.headers, answer.status >= 400)) answer.headers.set('connection', 'close')
  return answer
}

/** Who calls. Throws the 401 of a bad token, `forbidden`, and `upstream_unavailable` while no key is known to check tokens with. */
function admit({ verify, keysKnown }: Needs, authorization: string | null, roles: readonly Role[]): Caller | Promise<Caller> {
  if (authorization && !keysKnown()) throw new Problem('upstream_unavailable', undefined, { retryAfter: 2 })
  const known = verify(authorization)
  return known instanceof Promise ? known.then((who) => allowed(who, roles)) : allowed(known, roles)
}

function allowed(who: Caller, roles: readonly Role[]): Caller {
  requireRole(who, roles)
  return who
}

function refuseMethod(method: string, { allow }: Endpoint): Received {
  if (method === 'OPTIONS') return { status: 204, headers: { allow }, body: null }
  throw new Problem('method_not_allowed', undefined, { headers: { allow } })
}

function refusal(error: unknown, { requestId, path }: Work): Received {
  if (error instanceof ClientLeft) return { status: 499, headers: {}, body: null }
  const problem = error instanceof Problem ? error : new Problem('internal_error')
  if (problem !== error) log.error({ requestId, ...describeError(error) }, 'request failed')
  const headers = { ...problem.headers, 'content-type': 'application/problem+json' }
  // who asks HEAD gets the length of this body: Bun leaves out the body itself
  return { status: problem.status, headers, body: Buffer.from(JSON.stringify(problemBody(problem, path, requestId))) }
}

function finish({ status, headers: given, body }: Received, work: Work, request: Request, needs: Needs): Response {
  const headers: Received['headers'] = {
    ...(needs.scheme === 'https' ? protectionByTls : protection),
    ...given,
    'x-request-id': work.requestId
  }
  if (work.told && !headers.ratelimit) Object.assign(headers, work.told)
  const isShared = !work.personal && status < 400 && (request.method === 'GET' || request.method === 'HEAD')
  if (!isShared && !headers['cache-control']) headers['cache-control'] = 'no-store'
  if (needs.draining() || endsConnection(request.headers, status >= 400)) headers.connection = 'close'
  withCors(needs.cors, request, headers)
  record(work, request.method, status)
  return new Response(isStreamed(body) ? body.readable : body, { status, headers })
}

/** Headers that every answer has; the policy of a page is its own. */
const protection = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'"
}

/** Where people reach the system by https a browser is to come by nothing else for a year. */
const protectionByTls = { ...protection, 'strict-transport-security': 'max-age=31536000' }

const timers = new Map<string, ReturnType<typeof httpRequests.labels>>()
/** The series of one kind of answer; looking it up by its labels each time would cost more than counting. */
function timerOf(method: string, route: string, status: number) {
  const key = `${method}${status}${route}`
  let timer = timers.get(key)
  if (!timer) {
    timer = httpRequests.labels({ method, route, status: String(status) })
    timers.set(key, timer)
  }
  return timer
}

function record({ requestId, span, route, started }: Work, method: string, status: number): void {
  const ms = performance.now() - started
  timerOf(method, route, status).observe(ms / 1000)
  endOf(span, method, route, status)
  log.info({ requestId, traceId: span.traceparent.slice(3, 35), method, route, status, ms: Math.round(ms * 10) / 10 }, 'request')
}
