import { describeError, log } from '#platform/log'
import { Problem } from '#platform/problem'
import type { Replica, Upstream } from './upstreams.ts'

/** What is to be sent to a service. `headers` are those of the client. */
export type Call = {
  method: string
  target: string
  headers: Headers
  body: Uint8Array | undefined
  client: string
  scheme: string
  requestId: string
  traceparent: string
  /** Aborted when the client leaves. */
  signal: AbortSignal
}

const VIA = '1.1 healthmed'
/** Answers up to this many bytes are read whole: quicker than a stream of one piece. */
const WHOLE = 256 * 1024

/** What passes from a client to a service; everything else, forged or hop-by-hop, stays outside. */
const passed = [
  'accept',
  'accept-encoding',
  'accept-language',
  'authorization',
  'content-type',
  'idempotency-key',
  'if-match',
  'if-none-match',
  'last-event-id',
  'user-agent'
]
/** What passes from a service to a client. */
const answered = [
  'content-type',
  'content-encoding',
  'content-language',
  'content-disposition',
  'etag',
  'last-modified',
  'location',
  'retry-after',
  'cache-control',
  'www-authenticate',
  'allow',
  'idempotency-replayed',
  'vary',
  'link'
]

/** What is passed on; `isStream` where it has no end of its own. */
export type Forwarded = { answer: Response; isStream: boolean }

/**
 * Sends a call to a replica of a service, once more to another where that is safe, and passes the answer on.
 * Its headers may take `patienceMs`; `ended` is called at the end of an event stream. Throws `upstream_unavailable` and `upstream_timeout`.
 */
export async function forward(upstream: Upstream, call: Call, patienceMs: number, ended: () => void): Promise<Forwarded> {
  const repeatable = call.method === 'GET' || call.method === 'HEAD' || call.headers.has('idempotency-key')
  const init = { method: call.method, headers: headersFor(call), body: call.body, repeatable, patienceMs }
  let replica = upstream.pick()
  for (let attempt = 1; replica; attempt++) {
    const tried: Replica = replica
    try {
      const answer = await send(tried, call, init)
      upstream.succeeded(tried)
      return passOn(answer, ended)
    } catch (error) {
      if (call.signal.aborted) throw new ClientLeft()
      if (error instanceof Problem && error.code !== 'upstream_timeout') throw error
      const refused = isRefused(error)
      upstream.failed(tried, refused)
      log.warn({ requestId: call.requestId, ...describeError(error), stack: undefined, replica: tried.url, attempt }, 'a replica failed')
      if (error instanceof Problem) throw error
      const next = upstream.pick(tried)
      if (attempt > 1 || !(refused ? next !== tried : repeatable)) break
      replica = next
    }
  }
  throw new Problem('upstream_unavailable', undefined, { retryAfter: 2 })
}

/** The client went away: nobody waits for an answer. */
export class ClientLeft extends Error {}

const isRefused = (error: unknown) =>
  ['ConnectionRefused', 'ECONNREFUSED', 'FailedToOpenSocket', 'EHOSTUNREACH', 'ENETUNREACH'].includes(
    (error as { code?: string })?.code ?? ''
  )

function headersFor({ headers, client, scheme, requestId, traceparent }: Call): Record<string, string> {
  const result: Record<string, string> = {
    'x-request-id': requestId,
    traceparent,
    'x-forwarded-for': client,
    'x-forwarded-proto': scheme,
    via: VIA
  }
  for (const name of passed) {
    const value = headers.get(name)
    if (value !== null) result[name] = value
  }
  return result
}

type Init = { method: string; headers: Record<string, string>; body: Uint8Array | undefined; repeatable: boolean; patienceMs: number }

type Answer = { status: number; headers: Headers; body: ArrayBuffer | ReadableStream | null; control: AbortController }

async function send(replica: Replica, call: Call, { repeatable, patienceMs, ...init }: Init): Promise<Answer> {
  const control = new AbortController()
  let late = false
  const timer = setTimeout(() => {
    late = true
    control.abort()
  }, patienceMs)
  const leave = () => control.abort()
  call.signal.addEventListener('abort', leave)
  replica.busy++
  try {
    const answer = await fetch(replica.url + call.target, {
      ...init,
      signal: control.signal,
      redirect: 'manual',
      decompress: false,
      // what may not be sent twice gets a connection of its own: one from the pool may have been closed at the other end
      keepalive: repeatable
    } as BunFetchRequestInit)
    const { status, headers } = answer
    if (call.method === 'HEAD' || status === 204 || status === 304) return { status, headers, body: null, control }
    const whole = Number(headers.get('content-length') ?? Number.NaN) <= WHOLE
    return { status, headers, body: whole ? await answer.arrayBuffer() : answer.body, control }
  } catch (error) {
    throw late ? new Problem('upstream_timeout') : error
  } finally {
    clearTimeout(timer)
    replica.busy--
  }
}

function passOn({ status, headers: given, body, control }: Answer, ended: () => void): Forwarded {
  const type = given.get('content-type')
  // what a service did not say in its own words stays inside
  if (status >= 500 && type !== 'application/problem+json') throw new Problem('internal_error')
  const headers = new Headers()
  for (const name of answered) {
    const value = given.get(name)
    if (value !== null) headers.set(name, value)
  }
  if (!headers.get('location')?.startsWith('/')) headers.delete('location')
  headers.set('via', VIA)
  const isStream = body instanceof ReadableStream && type?.startsWith('text/event-stream') === true
  const passing = isStream ? (followed(body, control, ended) as unknown as ReadableStream) : body
  return { answer: new Response(passing, { status, headers }), isStream }
}

const open = new Set<AbortController>()

/** Ends every event stream, so that the process can stop: clients of them connect again, elsewhere. */
export const endStreams = (): void => {
  for (const control of open) control.abort()
}

async function* followed(body: ReadableStream<Uint8Array>, control: AbortController, ended: () => void) {
  open.add(control)
  try {
    yield* body
  } catch (error) {
    if (!control.signal.aborted) throw error
  } finally {
    open.delete(control)
    ended()
    control.abort()
  }
}
