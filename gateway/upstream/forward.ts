import { Problem } from '#platform/http/problem'
import { log } from '#platform/setup/log'
import { type Received, type Sent, WireError } from './http-client.ts'
import type { Streamed } from './response-body.ts'
import { doesStay } from './shutdown-probe.ts'
import type { Replica, Upstream } from './upstreams.ts'

/** What is to be sent to a service. `headers` are those of the client; `hasLeft` says whether it went away. */
export type Call = {
  method: string
  target: string
  headers: Headers
  body: Uint8Array | undefined
  /** The client's address, where the service is to know it. */
  client: string | undefined
  scheme: string
  requestId: string
  traceparent: string
  /** Whether it may be done twice: it changes nothing, or has a key that the service honours. */
  isRepeatable: boolean
  patienceMs: number
  hasLeft: () => boolean
}

const VIA = '1.1 healthmed'

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

/**
 * Sends a call to a replica of a service, once more to another where that is safe. The head of the answer may take `patienceMs`, both tries together.
 * Throws `upstream_unavailable`, `upstream_timeout`, `internal_error` and ClientLeft.
 */
export async function forward(upstream: Upstream, call: Call): Promise<Received> {
  const until = performance.now() + call.patienceMs
  let replica = upstream.pick()
  for (let attempt = 1; replica; attempt++) {
    const tried: Replica = replica
    tried.busy++
    try {
      // one that is about to stop could close the door on a call that must not be sent twice
      const stays = call.isRepeatable || tried.wire.isStaying() || (await doesStay(tried))
      const other = stays || attempt > 1 ? tried : upstream.pick(tried)
      if (other !== tried) {
        replica = other
        continue
      }
      const received = await tried.wire.send(sentOf(call, tried, attempt, until - performance.now()))
      upstream.succeeded(tried)
      return checked(received)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      if (error.kind === 'left') throw new ClientLeft()
      upstream.failed(tried, error.kind === 'refused')
      log.warn({ requestId: call.requestId, replica: tried.url, attempt, error: error.kind }, 'a replica failed')
      if (error.kind === 'late') throw new Problem('upstream_timeout')
      const next = upstream.pick(tried)
      if (attempt > 1 || !(error.kind === 'refused' ? next !== tried : call.isRepeatable)) break
      replica = next
    } finally {
      tried.busy--
    }
  }
  throw new Problem('upstream_unavailable', undefined, { retryAfter: 2 })
}

/** The client went away: nobody waits for an answer. */
export class ClientLeft extends Error {}

/** A second try gets a connection of its own: after a loss the others may be gone as well. */
const sentOf = (call: Call, { url }: Replica, attempt: number, patienceMs: number): Sent => ({
  head: headOf(call, url.slice(7)),
  body: call.body,
  isHead: call.method === 'HEAD',
  isFresh: attempt > 1,
  patienceMs,
  hasLeft: call.hasLeft
})

function headOf({ method, target, headers, body, client, scheme, requestId, traceparent }: Call, host: string): string {
  let head = `${method} ${target} HTTP/1.1\r\nhost: ${host}\r\nx-request-id: ${requestId}\r\ntraceparent: ${traceparent}\r\nx-forwarded-proto: ${scheme}\r\nvia: ${VIA}\r\n`
  if (client) head += `x-forwarded-for: ${client}\r\n`
  for (const name of passed) {
    const value = headers.get(name)
    if (value !== null) head += `${name}: ${value}\r\n`
  }
  if (body) head += `content-length: ${body.length}\r\n`
  else if (method !== 'GET' && method !== 'HEAD') head += 'content-length: 0\r\n'
  return `${head}\r\n`
}

function checked(received: Received): Received {
  const { status, headers } = received
  // what a service did not say in its own words stays inside
  if (status >= 500 && headers['content-type'] !== 'application/problem+json') {
    if (isStreamed(received.body)) received.body.end()
    throw new Problem('internal_error')
  }
  if (headers.location && !/^\/(?!\/)/.test(headers.location)) delete headers.location
  headers.via = VIA
  return received
}

/** Whether a body comes piece by piece. */
export const isStreamed = (body: Received['body']): body is Streamed => body !== null && 'readable' in body

const open = new Set<Streamed>()

/** Ends every event stream, so that the process can stop: clients of them connect again, elsewhere. */
export const endStreams = (): void => {
  for (const stream of open) stream.end()
}

/** Follows an event stream until its end, and says when that is. */
export async function follow(stream: Streamed): Promise<void> {
  open.add(stream)
  await stream.finished
  open.delete(stream)
}
