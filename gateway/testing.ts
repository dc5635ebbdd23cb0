import { connect } from 'node:net'
import { handlerOf, type Listener } from '#platform/http'
import { type Signer, signer } from '#platform/testing'
import { gatewayOf, type Needs } from './app.ts'
import { clientsBehind } from './clients.ts'
import { corsOf } from './cors.ts'
import { limitsOf } from './limits.ts'
import { ownPages } from './own.ts'
import { roomFor } from './room.ts'
import type { Service } from './routes.ts'
import { serve } from './serve.ts'
import { type Upstream, upstreamOf } from './upstreams.ts'

/** A small real service for tests: answers with what it was sent, or as its handler says. */
export type Replica = { url: string; seen: Request[]; stop: () => Promise<void> }

/** Starts a service on a port of its own; `seen` are the requests that came. */
export function replica(handler: (request: Request) => Response | Promise<Response> = echo): Replica {
  const seen: Request[] = []
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    idleTimeout: 0,
    fetch: (request) => {
      seen.push(request)
      return handler(request)
    }
  })
  return { url: `http://127.0.0.1:${server.port}`, seen, stop: () => server.stop(true) }
}

/** What the echoing service tells. */
export type Echo = { method: string; path: string; headers: Record<string, string>; body: string }
/** Tells what a request was. */
export const echo = async (request: Request): Promise<Response> => {
  const { pathname, search } = new URL(request.url)
  return Response.json({ method: request.method, path: pathname + search, headers: request.headers.toJSON(), body: await request.text() })
}

/** A gateway of a test's own, on a real port. */
export type Rig = {
  url: string
  port: number
  signer: Signer
  upstreams: Record<Service, Upstream>
  listener: Listener
  drain: () => void
  stop: () => Promise<void>
}

type Options = Partial<Omit<Needs, 'upstreams' | 'pages'>> & { trusted?: string; origins?: string; quotas?: Parameters<typeof limitsOf>[0] }

/** Starts a gateway before `addresses` (one URL or a comma list for all services, or one for each). */
export async function rig(addresses: string | Record<Service, string>, options: Options = {}): Promise<Rig> {
  const of = (name: Service) => upstreamOf(name, typeof addresses === 'string' ? addresses : addresses[name])
  const upstreams = { auth: await of('auth'), scheduling: await of('scheduling'), notifier: await of('notifier') }
  const signed = await signer()
  let draining = false
  const gateway = gatewayOf({
    upstreams,
    verify: signed.verify,
    keysKnown: () => true,
    count: options.quotas && limitsOf(options.quotas),
    clientOf: clientsBehind(options.trusted ?? 'none'),
    scheme: 'http',
    cors: corsOf(options.origins ?? 'none'),
    room: roomFor({ calls: 1_000, streams: 1_000 }),
    pages: handlerOf(ownPages(upstreams)),
    draining: () => draining,
    ...options
  })
  const listener = serve(gateway, { port: 0, host: '127.0.0.1' })
  return {
    url: `http://127.0.0.1:${listener.port}`,
    port: listener.port,
    signer: signed,
    upstreams,
    listener,
    drain: () => {
      draining = true
    },
    stop: async () => {
      await listener.stop()
      for (const upstream of Object.values(upstreams)) upstream.stop()
    }
  }
}

/** Sends bytes as they are; gives all that came back once the other end closed, or after `waitMs`. */
export function raw(port: number, bytes: string, waitMs = 400): Promise<{ text: string; isClosed: boolean }> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.from(bytes, 'latin1')))
    let text = ''
    const done = (isClosed: boolean) => {
      clearTimeout(timer)
      socket.destroy()
      resolve({ text, isClosed })
    }
    const timer = setTimeout(() => done(false), waitMs)
    socket.on('data', (data) => {
      text += data.toString('latin1')
    })
    socket.on('error', () => done(true))
    socket.on('close', () => done(true))
  })
}

/** The body of a problem. */
export type Told = { code: string; status: number; requestId: string; instance: string; type: string }
/** Reads a problem. */
export const problemOf = async (answer: Response) => (await answer.json()) as Told
