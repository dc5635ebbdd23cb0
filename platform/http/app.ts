import { type AnyElysia, Elysia, type ElysiaConfig, type ValidationError } from 'elysia'
import { isAway } from '../data/db.ts'
import { currentTrace, describeError, log, requestIdFrom, type Trace, traced } from '../setup/log.ts'
import { httpRequests, problemAnswers } from '../setup/metrics.ts'
import { openSpan, type Span } from '../setup/spans.ts'
import { CLOSE, isJson, isTooLarge, maxRequestBodySize, readChunks } from './body.ts'
import { fieldErrorsOf } from './field-errors.ts'
import { readJson, unstorable } from './json.ts'
import { Problem, problemBody } from './problem.ts'
import { invalid } from './schema.ts'

/** Options of every root instance: unknown fields are refused, `/x/` is not `/x`, and a short `Host` cannot shift the path. */
export const http = { normalize: false, strictPath: true, handler: { standardHostname: false } } satisfies ElysiaConfig<''>

/** Turns whatever was thrown into an RFC 9457 answer; nothing of an unknown error leaves the process. Use it first on a root instance. */
export const problems = new Elysia({ name: 'problems' })
  // the only reader of bodies: it also runs where a route takes none, so that malformed JSON is refused everywhere
  .onParse({ as: 'global' }, async ({ request, route }) => {
    const trace = currentTrace()
    if (trace) trace.route = route
    return request.body ? readJson(await request.bytes()) : undefined
  })
  .onTransform({ as: 'global' }, ({ route, query }) => {
    const trace = currentTrace()
    if (trace) trace.route = route
    const path = unstorable(query)
    if (path) throw invalid(path, 'must be Unicode text without the character NUL')
  })
  .onError({ as: 'global' }, ({ error, code, set, request }) => {
    const problem = asProblem(error, String(code))
    if (problem.status >= 500) log.error({ ...describeError(error), code: problem.code }, 'request failed')
    problemAnswers.inc({ route: currentTrace()?.route ?? 'unmatched', code: problem.code })
    set.status = problem.status
    // an object and no Response, so that hooks after it see the status; parsed headers of ours must not be overwritten
    Object.assign(set.headers, problem.headers, { 'content-type': 'application/problem+json' })
    return problemBody(problem, new URL(request.url).pathname, currentTrace()?.requestId ?? '')
  })

/** The problem that an error means to the client. */
export function asProblem(error: unknown, code: string): Problem {
  if (error instanceof Problem) return error
  if (code === 'NOT_FOUND') return new Problem('not_found')
  // a Problem thrown by the parser or a schema transform arrives wrapped
  if (error instanceof Error && error.cause instanceof Problem) return error.cause
  if (code === 'PARSE') return new Problem('malformed_json')
  if (code === 'VALIDATION') return ofValidation(error as ValidationError)
  const inner = (error as { error?: unknown } | null)?.error
  if (inner instanceof Problem) return inner
  if (isAway(error)) return new Problem('upstream_unavailable', undefined, { retryAfter: 2 })
  return new Problem('internal_error')
}

function ofValidation(error: ValidationError): Problem {
  if (error.type === 'response') return new Problem('internal_error')
  // an id that cannot be one names nothing
  if (error.type === 'params') return new Problem('not_found')
  return new Problem('validation_failed', undefined, { errors: fieldErrorsOf(error) })
}

/** What answers requests: an app with what every process does around it. `peer` is the address at the other end of the socket. */
export type Handler = (request: Request, peer?: string) => Promise<Response>

/** Wraps an app: request id and trace, media type and size of bodies, HEAD, 405 with `Allow`, one metric and one log line a request. */
export function handlerOf(app: AnyElysia): Handler {
  return (request, peer) => {
    const requestId = requestIdFrom(request.headers.get('x-request-id'))
    const span = openSpan('server', request.method, request.headers.get('traceparent'))
    const trace: Trace = { requestId, traceparent: span.traceparent, peer }
    return traced(trace, async () => {
      const started = performance.now()
      const response = await answer(app, request)
      response.headers.set('x-request-id', requestId)
      endOf(span, request.method, trace.route ?? 'unmatched', response.status)
      observe(request.method, trace.route ?? 'unmatched', response.status, (performance.now() - started) / 1000)
      return response
    })
  }
}

/** Ends the span of a request, named by the conventions of OpenTelemetry for HTTP. */
export function endOf(span: Span, method: string, route: string, status: number): void {
  const attributes = { 'http.request.method': method, 'http.route': route, 'http.response.status_code': status }
  span.end({ name: `${method} ${route}`, attributes, failed: status >= 500 })
}

/** One metric and one log line for an answered request; probes are not logged. */
export function observe(method: string, route: string, status: number, seconds: number): void {
  httpRequests.observe({ method, route, status: String(status) }, seconds)
  if (!/^\/(health|metrics|internal)/.test(route)) log.info({ method, route, status, ms: Math.round(seconds * 1e4) / 10 }, 'request')
}

async function answer(app: AnyElysia, request: Request): Promise<Response> {
  let admitted: Request
  try {
    admitted = await withBody(request)
  } catch (error) {
    return problemResponse(asProblem(error, ''), request)
  }
  // HEAD is answered as GET is: Bun tells the length of the body, leaves it out, and ends a stream
  const response = await app.handle(request.method === 'HEAD' ? new Request(request, { method: 'GET' }) : admitted)
  const allowed = response.status === 404 && !currentTrace()?.route ? methodsOf(app, new URL(request.url).pathname) : []
  if (allowed.length > 0)
    return problemResponse(new Problem('method_not_allowed', undefined, { headers: { allow: allowed.join(', ') } }), request)
  return response
}

/** The request with a body that may be read. Throws `body_too_large` and `unsupported_media_type`. */
async function withBody(request: Request): Promise<Request> {
  if (isTooLarge(request.headers)) throw new Problem('body_too_large', undefined, CLOSE)
  if (!request.body || request.method === 'GET' || request.method === 'HEAD') return request
  if (!isJson(request.headers.get('content-type'))) throw new Problem('unsupported_media_type')
  if (!request.headers.has('transfer-encoding')) return request
  const { url, method, headers, signal } = request
  const body = await readChunks(request)
  return new Request(url, { method, headers, signal, ...(body.length > 0 && { body }) })
}

/** A problem as a whole answer, for what stands outside of an app. */
export const problemResponse = (problem: Problem, request: Request): Response =>
  Response.json(problemBody(problem, new URL(request.url).pathname, currentTrace()?.requestId ?? ''), {
    status: problem.status,
    headers: { ...problem.headers, 'content-type': 'application/problem+json' }
  })

/** The methods that a path of an app knows; HEAD goes with GET. */
function methodsOf(app: AnyElysia, path: string): string[] {
  const methods = app.routes.filter((route) => matches(route.path, path)).map((route) => route.method)
  return [...new Set(methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])))].filter((method) => method !== 'ALL')
}

/** Whether a path is of a pattern such as `/v1/doctors/:id`. */
export function matches(pattern: string, path: string): boolean {
  const wanted = pattern.split('/')
  const given = path.split('/')
  return (
    wanted.length === given.length && wanted.every((part, index) => (part.startsWith(':') ? given[index] !== '' : part === given[index]))
  )
}

/** A server that takes requests until it is stopped. */
export type Listener = { port: number; stop: () => Promise<void> }

/** How long clients that keep connections are told to leave them before the listener goes, in milliseconds. */
const FAREWELL_MS = 500
/** How long a stop then waits for what runs before it cuts it off. */
const PATIENCE_MS = 6_000

/**
 * Listens on one port alone; a port in use is an error and never shared in silence. `stop` first bids every client farewell with `Connection: close`, so
 * that none is cut off in the act of asking, and then waits for what runs, at most 6 s.
 */
export function listen(handler: Handler, { port, host }: { port: number; host: string }): Listener {
  let isLeaving = false
  const server = Bun.serve({
    port,
    hostname: host,
    reusePort: false,
    idleTimeout: 60,
    maxRequestBodySize,
    fetch: async (request, server) => {
      const response = await handler(request, server.requestIP(request)?.address)
      if (isLeaving) response.headers.set('connection', 'close')
      return response
    },
    error: (error) => {
      log.error(describeError(error), 'a request failed outside of its handler')
      return new Response(null, { status: 500 })
    }
  })
  const stop = async () => {
    isLeaving = true
    await Bun.sleep(FAREWELL_MS)
    // what came while this process had no turn is read before the doors close
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
    const cutOff = setTimeout(() => server.stop(true), PATIENCE_MS)
    await server.stop()
    clearTimeout(cutOff)
  }
  return { port: server.port ?? port, stop }
}
