import { afterEach, expect, test } from 'bun:test'
import { Elysia } from 'elysia'
import { handlerOf, http, listen, problems } from '#platform/http/app'
import { eventually } from '#platform/testing/testing'
import { type Rig, replica, rig } from '../testing/testing.ts'

/* Calls that must not be sent twice, and replicas that stop. */
const open: { stop: () => unknown }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.stop()
})

/** A service as ours are, which bids farewell when it stops. */
const service = () => {
  const app = new Elysia(http).use(problems).get('/health/live', () => ({ status: 'up' }))
  app.post('/v1/waitlist', () => ({})).get('/v1/doctors', () => Bun.sleep(20).then(() => ({})))
  const one = listen(handlerOf(app), { port: 0, host: '127.0.0.1' })
  let stopping: Promise<void> | undefined
  const stop = () => {
    stopping ??= one.stop()
    return stopping
  }
  open.push({ stop })
  return { url: `http://127.0.0.1:${one.port}`, stop }
}
const before = async (...urls: string[]) => {
  const gateway = await rig(urls.join(','))
  open.push(gateway)
  const headers = { authorization: await gateway.signer.bearer({}), 'content-type': 'application/json' }
  const write = async () => (await fetch(`${gateway.url}/v1/waitlist`, { method: 'POST', headers, body: '{}' })).status
  return { gateway, write }
}
const many = <T>(count: number, work: () => Promise<T>) => Promise.all(Array.from({ length: count }, work))
const read = async ({ url }: Rig) => (await fetch(`${url}/v1/doctors`)).status

test('writes without a key that meet the very end of a replica are all answered', async () => {
  for (const ms of [496, 497, 498, 499, 500]) {
    const leaving = service()
    const { gateway, write } = await before(leaving.url, service().url)
    // connections that are kept, and not used again until the end
    await many(100, () => read(gateway))
    const stopped = leaving.stop()
    await Bun.sleep(ms)
    expect([ms, new Set(await many(60, write))]).toEqual([ms, new Set([200])])
    await stopped
  }
}, 30_000)

test('a replica that was heard of a moment ago is not asked, and nothing that may be sent twice waits for an answer', async () => {
  let asked: string[] = []
  const one = replica((request) => {
    asked.push(`${request.method} ${new URL(request.url).pathname}`)
    return Response.json({})
  })
  open.push(one)
  const { gateway, write } = await before(one.url)
  await read(gateway)
  expect(asked).toEqual(['GET /v1/doctors'])
  // on a machine that is busy a moment may have passed
  await eventually(async () => {
    await read(gateway)
    asked = []
    await write()
    return asked.length === 1
  })
  expect(asked).toEqual(['POST /v1/waitlist'])
})

test('a replica that was not heard of is asked once for all writes that wait', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const one = replica(async () => {
    await promise
    return Response.json({})
  })
  open.push(one)
  const { gateway, write } = await before(one.url)
  const writing = many(5, write)
  await eventually(() => gateway.upstreams.scheduling.replicas()[0]?.busy === 5)
  expect(one.seen.map(({ url }) => new URL(url).pathname)).toEqual(['/health/live'])
  resolve()
  expect(await writing).toEqual(Array(5).fill(200))
  expect(one.seen).toHaveLength(6)
})

test('a replica that says that it stops is left to itself, and by a write before it was sent', async () => {
  const calls: string[] = []
  const leaving = replica((request) => {
    calls.push(new URL(request.url).pathname)
    return Response.json({}, { headers: { connection: 'close' } })
  })
  const staying = replica(() => Response.json({}))
  open.push(leaving, staying)
  const { gateway, write } = await before(leaving.url, staying.url)
  expect(new Set(await many(40, write))).toEqual(new Set([200]))
  expect(new Set(await many(40, () => read(gateway)))).toEqual(new Set([200]))
  expect(calls).toEqual(['/health/live'])
})

test('where all replicas stop a write is sent all the same', async () => {
  const leaving = () => {
    const one = replica(() => Response.json({}, { headers: { connection: 'close' } }))
    open.push(one)
    return one.url
  }
  const { write } = await before(leaving(), leaving())
  expect(await write()).toBe(200)
  const { write: alone } = await before(leaving())
  expect(await alone()).toBe(200)
})

test('a write goes elsewhere where a replica does not say whether it stays', async () => {
  const silent = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data: (socket) => void socket.terminate() } })
  const alive = replica(() => Response.json({}))
  open.push({ stop: () => silent.stop(true) }, alive)
  const { write } = await before(`http://127.0.0.1:${silent.port}`, alive.url)
  expect(new Set(await many(20, write))).toEqual(new Set([200]))
})
