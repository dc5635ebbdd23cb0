import { connect } from 'node:net'
import { join } from 'node:path'
import type { Subprocess } from 'bun'
import { handlerOf, type Listener } from '#platform/http/app'
import { freePort } from '#platform/setup/ports'
import { eventually, type Signer, signer } from '#platform/testing/testing'
import { gatewayOf, type Needs } from '../app.ts'
import { roomFor } from '../limits/capacity.ts'
import { clientsBehind } from '../limits/client-address.ts'
import { corsOf } from '../limits/cors.ts'
import { limitsOf } from '../limits/rate-limit.ts'
import { ownPages } from '../pages/gateway-routes.ts'
import type { Service } from '../routes.ts'
import { serve } from '../serve.ts'
import { type Upstream, upstreamOf } from '../upstream/upstreams.ts'

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
    endWith: signed.endWith,
    keysKnown: () => true,
    count: options.quotas && limitsOf(options.quotas),
    clientOf: clientsBehind(options.trusted ?? 'none'),
    scheme: 'http',
    cors: corsOf(options.origins ?? 'none'),
    room: roomFor({ calls: 1_000, streams: 1_000, streamsOfOne: 1_000 }),
    pages: handlerOf(ownPages(upstreams, signed.verify)),
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

/** A service that is auth as well: keys, and sessions that ended (by `sid`); other calls are echoed after `slow` milliseconds. */
export function authOf(signed: Signer, slow = 0): Replica & { ended: string[] } {
  const ended: string[] = []
  const one = replica(async (request) => {
    const { pathname } = new URL(request.url)
    if (pathname === '/.well-known/jwks.json') return Response.json({ keys: [signed.jwk] })
    const items = ended.map((sid) => ({ sid, endedAt: new Date().toISOString() }))
    if (pathname === '/internal/ended-sessions') return Response.json({ items, now: new Date().toISOString() })
    if (pathname === '/v1/events') {
      const body = new ReadableStream({ start: (controller) => controller.enqueue(': here\n\n') })
      return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
    }
    await Bun.sleep(slow)
    return echo(request)
  })
  return { ...one, ended }
}

/** The gateway as a process: `stop` ends it at once. */
export type Process = { url: string; ops: string; child: Subprocess; stop: () => Promise<void> }

/** Starts the process itself, before services at one address. Gives it once it answers, ready or not. */
export async function startGateway(address: string, settings: Record<string, string> = {}): Promise<Process> {
  const [port, ops] = [freePort(), freePort()]
  const env = {
    PATH: process.env.PATH ?? '',
    NODE_ENV: 'production',
    LOG_LEVEL: 'silent',
    PORT: `${port}`,
    OPS_PORT: `${ops}`,
    RATE_LIMIT: 'off'
  }
  const urls = { AUTH_URL: address, SCHEDULING_URL: address, NOTIFIER_URL: address }
  const child = Bun.spawn([process.execPath, 'gateway/main.ts'], {
    cwd: join(import.meta.dir, '..', '..'),
    env: { ...env, ...urls, ...settings },
    stdout: 'inherit',
    stderr: 'inherit'
  })
  const stop = async () => {
    child.kill('SIGKILL')
    await child.exited
  }
  const one = { url: `http://127.0.0.1:${settings.PORT ?? port}`, ops: `http://127.0.0.1:${ops}`, child, stop }
  await eventually(async () => child.exitCode !== null || (await fetch(`${one.ops}/health/live`).catch(() => undefined))?.ok)
  return one
}
