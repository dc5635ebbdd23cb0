import { afterEach, expect, test } from 'bun:test'
import { eventually } from '#platform/testing/testing'
import { roomFor } from '../limits/capacity.ts'
import { echo, problemOf, type Replica, type Rig, replica, rig } from '../testing/testing.ts'
import { upstreamOf } from './upstreams.ts'

const open: { stop: () => unknown }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.stop()
})
const started = (handler?: Parameters<typeof replica>[0]): Replica => {
  const one = replica(handler)
  open.push(one)
  return one
}
const before = async (addresses: string, options: Parameters<typeof rig>[1] = {}): Promise<Rig> => {
  const one = await rig(addresses, options)
  open.push(one)
  return one
}
/** An address at which nobody listens. */
const nobody = async () => {
  const gone = replica()
  await gone.stop()
  return gone.url
}
const book = async ({ url, signer }: Rig, headers: Record<string, string> = {}) =>
  fetch(`${url}/v1/appointments`, {
    method: 'POST',
    headers: { authorization: await signer.bearer({}), 'content-type': 'application/json', ...headers },
    body: '{}'
  })

test('several replicas share the calls', async () => {
  const [a, b] = [started(), started()]
  const { url } = await before(`${a.url},${b.url}`)
  for (let n = 0; n < 60; n++) expect((await fetch(`${url}/v1/doctors`)).status).toBe(200)
  expect(Math.min(a.seen.length, b.seen.length)).toBeGreaterThan(10)
})

test('the less busy of two is taken', async () => {
  const idle = { url: 'http://127.0.0.1:1', busy: 0, failures: 0, asideUntil: 0 }
  const upstream = await upstreamOf('test', 'http://127.0.0.1:1,http://127.0.0.1:2')
  open.push(upstream)
  const [first] = upstream.replicas()
  if (first) first.busy = 5
  const picked = Array.from({ length: 400 }, () => upstream.pick()?.url)
  const share = picked.filter((url) => url === idle.url).length / picked.length
  // both of the two are the busy one once in four times
  expect(share).toBeGreaterThan(0.15)
  expect(share).toBeLessThan(0.35)
})

test('a refused connection is tried elsewhere, for any method, and the replica is set aside', async () => {
  const dead = await nobody()
  const alive = started()
  const gateway = await before(`${dead},${alive.url}`)
  const statuses = await Promise.all(Array.from({ length: 20 }, async () => (await book(gateway)).status))
  expect(statuses.every((status) => status === 200)).toBe(true)
  expect(gateway.upstreams.scheduling.replicas().find(({ url }) => url === dead)?.asideUntil).toBeGreaterThan(Date.now())
})

test('a replica that was set aside comes back after its time', async () => {
  let now = 0
  const upstream = await upstreamOf('test', 'http://127.0.0.1:1,http://127.0.0.1:2', { nowMs: () => now })
  open.push(upstream)
  const [first] = upstream.replicas()
  const isPicked = () => Array.from({ length: 60 }, () => upstream.pick()).includes(first)
  if (first) upstream.failed(first, false)
  expect(isPicked()).toBe(true)
  if (first) upstream.failed(first, true)
  expect(isPicked()).toBe(false)
  now = 2_001
  expect(isPicked()).toBe(true)
  if (first) upstream.failed(first, false)
  now = 4_500
  expect(isPicked()).toBe(false)
  if (first) upstream.succeeded(first)
  expect(isPicked()).toBe(true)
})

test('a read whose connection breaks is tried once more elsewhere, and so is a write with a key; another write is not', async () => {
  let broken = 0
  const breaking = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      data(socket, bytes) {
        // it says that it stays, and then breaks off whatever it is asked
        if (bytes.toString().startsWith('GET /health/live')) return void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
        broken++
        socket.terminate()
      }
    }
  })
  open.push({ stop: () => breaking.stop(true) })
  const alive = started()
  const gateway = await before(`http://127.0.0.1:${breaking.port},${alive.url}`)
  const { scheduling } = gateway.upstreams
  const again = () => {
    for (const one of scheduling.replicas()) scheduling.succeeded(one)
  }
  const call = async (what: () => Promise<Response>) => {
    // until the breaking one was the first choice
    for (broken = 0; ; again()) {
      const { status } = await what()
      if (broken > 0) return [status, broken]
    }
  }
  expect(await call(() => fetch(`${gateway.url}/v1/doctors`))).toEqual([200, expect.any(Number)])
  expect(await call(() => book(gateway, { 'idempotency-key': 'k' }))).toEqual([200, expect.any(Number)])
  expect(await call(() => book(gateway))).toEqual([503, 1])
})

test('nobody there is 503 at once, with the time to wait', async () => {
  const gateway = await before(`${await nobody()},${await nobody()}`)
  const answer = await fetch(`${gateway.url}/v1/doctors`)
  expect([answer.status, answer.headers.get('retry-after'), (await problemOf(answer)).code]).toEqual([503, '2', 'upstream_unavailable'])
})

test('a name that stands for no address is 503 as well', async () => {
  const gateway = await before('http://no-such-name.invalid:8000')
  const answer = await fetch(`${gateway.url}/v1/doctors`)
  expect([answer.status, (await problemOf(answer)).code]).toEqual([503, 'upstream_unavailable'])
})

test('a name is resolved again and again: new addresses are used, old ones left, a failing lookup changes nothing', async () => {
  let addresses: string[] | undefined = ['10.0.0.1']
  const resolve = async () => {
    if (!addresses) throw new Error('no answer')
    return addresses
  }
  const upstream = await upstreamOf('test', 'http://scheduling:8000', { resolve, every: 5 })
  open.push(upstream)
  const urls = () => upstream.replicas().map(({ url }) => url)
  expect(urls()).toEqual(['http://10.0.0.1:8000'])
  addresses = ['10.0.0.1', '10.0.0.2', 'fd00::3']
  await eventually(() => urls().length === 3)
  expect(urls()).toEqual(['http://10.0.0.1:8000', 'http://10.0.0.2:8000', 'http://[fd00::3]:8000'])
  addresses = undefined
  await upstream.refresh()
  expect(urls().length).toBe(3)
  addresses = ['10.0.0.2']
  await eventually(() => urls().length === 1)
})

test('past the most calls at once the next is 503 overloaded, and not held', async () => {
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const slow = started(async (request) => {
    await held
    return echo(request)
  })
  const { url } = await before(slow.url, { room: roomFor({ calls: 3, streams: 1, streamsOfOne: 1 }) })
  const first = Array.from({ length: 3 }, () => fetch(`${url}/v1/doctors`))
  await eventually(() => slow.seen.length === 3)
  const refused = await fetch(`${url}/v1/doctors`)
  expect([refused.status, refused.headers.get('retry-after'), (await problemOf(refused)).code]).toEqual([503, '1', 'overloaded'])
  release()
  expect((await Promise.all(first)).map(({ status }) => status)).toEqual([200, 200, 200])
  expect((await fetch(`${url}/v1/doctors`)).status).toBe(200)
})

test('an event stream has a place until it ends, and takes none from the calls', async () => {
  const service = started((request) => {
    if (!request.url.endsWith('/v1/events')) return echo(request)
    const body = new ReadableStream({ start: (controller) => controller.enqueue(': here\n\n') })
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  })
  const room = roomFor({ calls: 1, streams: 1, streamsOfOne: 2 })
  const { url, signer } = await before(service.url, { room })
  const headers = { authorization: await signer.bearer({}) }
  const control = new AbortController()
  const listen = (signal?: AbortSignal) => fetch(`${url}/v1/events`, { headers, ...(signal && { signal }) })
  const first = await listen(control.signal)
  expect([first.status, room.taken('streams'), room.taken('calls')]).toEqual([200, 1, 0])
  expect((await listen()).status).toBe(503)
  expect((await fetch(`${url}/v1/doctors`)).status).toBe(200)
  control.abort()
  await eventually(() => room.taken('streams') === 0)
})

test('the health of the whole says which service is down', async () => {
  const [auth, scheduling] = [started(), started()]
  const gateway = await rig({ auth: auth.url, scheduling: scheduling.url, notifier: await nobody() })
  open.push(gateway)
  const health = async () => {
    const answer = await fetch(`${gateway.url}/health`)
    return [answer.status, await answer.json()]
  }
  expect(await health()).toEqual([200, { status: 'degraded', services: { auth: 'up', scheduling: 'up', notifier: 'down' } }])
  await auth.stop()
  // asked of the replicas once a second at most
  await eventually(async () => (await health())[0] === 503)
  expect(await health()).toEqual([503, { status: 'down', services: { auth: 'down', scheduling: 'up', notifier: 'down' } }])
})

test('the health of the whole reports what a ready replica complains of', async () => {
  let problems: string[] | undefined
  const ready = () => started(() => Response.json({ status: problems ? 'degraded' : 'up', ...(problems && { problems }) }))
  const [auth, twin, scheduling] = [ready(), ready(), started()]
  const gateway = await rig({ auth: `${auth.url},${twin.url}`, scheduling: scheduling.url, notifier: scheduling.url })
  open.push(gateway)
  const health = async () => {
    const answer = await fetch(`${gateway.url}/health`)
    return [answer.status, await answer.json()]
  }
  const up = { auth: 'up', scheduling: 'up', notifier: 'up' }
  expect(await health()).toEqual([200, { status: 'up', services: up }])
  problems = ['Events have not left for 60 s']
  await eventually(async () => ((await health())[1] as { status: string }).status === 'degraded')
  expect(await health()).toEqual([
    200,
    {
      status: 'degraded',
      services: { ...up, auth: 'degraded' },
      problems: [{ service: 'auth', problem: 'Events have not left for 60 s' }]
    }
  ])
  problems = undefined
  await eventually(async () => ((await health())[1] as { status: string }).status === 'up')
})
