import { afterEach, expect, test } from 'bun:test'
import { eventually } from '#platform/testing/testing'
import { echo, problemOf, type Replica, replica, rig } from '../testing/testing.ts'
import { roomFor } from './capacity.ts'

const open: { stop: () => unknown }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.stop()
})
const service = (): Replica => {
  const one = replica((request) => {
    if (!request.url.endsWith('/v1/events')) return echo(request)
    const body = new ReadableStream({ start: (controller) => controller.enqueue(': here\n\n') })
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  })
  open.push(one)
  return one
}

test('pages of the gateway take a place as calls do, and are refused where there is none; its health is not', async () => {
  let isLate = false
  const room = roomFor({ calls: 1, streams: 1, streamsOfOne: 1 }, () => isLate)
  const gateway = await rig(service().url, { room })
  open.push(gateway)
  const pages = ['/docs', '/docs/json', '/ops', '/ops/state', '/problems', '/problems/slot_taken', '/assets/page.css', '/nowhere']
  const areRefused = async () => {
    for (const path of pages) {
      const answer = await fetch(gateway.url + path)
      const told = [path, answer.status, answer.headers.get('retry-after'), (await problemOf(answer)).code]
      expect(told).toEqual([path, 503, '1', 'overloaded'])
    }
    expect((await (await fetch(`${gateway.url}/health`)).json()) as object).toHaveProperty('services')
  }
  const leave = room.take('calls')
  await areRefused()
  leave()
  isLate = true
  await areRefused()
  isLate = false
  for (const path of pages) expect([path, (await fetch(gateway.url + path)).status]).not.toEqual([path, 503])
  expect(room.taken('calls')).toBe(0)
})

test('one person has some of the event streams, is refused more with 429, and leaves the rest to others', async () => {
  const room = roomFor({ calls: 5, streams: 100, streamsOfOne: 2 })
  const gateway = await rig(service().url, { room })
  open.push(gateway)
  const listenAs = async (id: string) => {
    const authorization = await gateway.signer.bearer({ id })
    return (signal?: AbortSignal) => fetch(`${gateway.url}/v1/events`, { headers: { authorization }, ...(signal && { signal }) })
  }
  const [ana, bia] = [await listenAs('ana'), await listenAs('bia')]
  const control = new AbortController()
  expect([(await ana(control.signal)).status, (await ana()).status]).toEqual([200, 200])
  const refused = await ana()
  expect([refused.status, refused.headers.get('retry-after'), (await problemOf(refused)).code]).toEqual([429, '10', 'rate_limited'])
  expect((await bia()).status).toBe(200)
  control.abort()
  await eventually(() => room.taken('streams') === 2)
  expect([(await ana()).status, (await ana()).status]).toEqual([200, 429])
})

test('where people come by https every answer tells browsers to come by nothing else', async () => {
  const [plain, secure] = [await rig(service().url), await rig(service().url, { scheme: 'https' })]
  open.push(plain, secure)
  for (const path of ['/v1/doctors', '/v1/appointments', '/v1/nowhere', '/docs', '/problems/slot_taken', '/health', '/nowhere']) {
    const told = async ({ url }: { url: string }) => (await fetch(url + path)).headers.get('strict-transport-security')
    expect([path, await told(plain), await told(secure)]).toEqual([path, null, 'max-age=31536000'])
  }
})
