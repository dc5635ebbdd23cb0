import { afterAll, beforeAll, expect, test } from 'bun:test'
import { gzipSync } from 'node:zlib'
import { eventually } from '#platform/testing/testing'
import { type Echo, echo, problemOf, type Replica, type Rig, replica, rig } from '../testing/testing.ts'

let service: Replica
let gateway: Rig
let gone = 0
const zipped = gzipSync(JSON.stringify({ items: [] }))

const answers: Record<string, (request: Request) => Response | Promise<Response>> = {
  '/v1/specialties': () =>
    new Response(zipped, { headers: { 'content-type': 'application/json', 'content-encoding': 'gzip', etag: '"s"' } }),
  '/v1/slots': (request) =>
    new Response(null, { status: request.headers.get('if-none-match') === '"x"' ? 304 : 204, headers: { etag: '"x"' } }),
  '/v1/waitlist': () =>
    Response.json(
      {},
      {
        status: 201,
        headers: { location: '/v1/waitlist/1', server: 'secret', 'x-powered-by': 'y', 'set-cookie': 'a=b', 'cache-control': 'private' }
      }
    ),
  '/v1/holds': () => new Response('Error: select * from holds at db.internal', { status: 500 }),
  '/v1/auth/me/export': () => new Response('x'.repeat(3_000_000), { headers: { 'content-type': 'application/json' } }),
  '/v1/auth/me': () => new Response(null, { status: 302, headers: { location: 'http://internal:9/x' } }),
  '/v1/events': (request) => {
    request.signal.addEventListener('abort', () => gone++)
    return new Response(
      (async function* () {
        for (let n = 0; ; n++) {
          yield `data: ${n}\n\n`
          await Bun.sleep(30)
        }
      })() as never,
      { headers: { 'content-type': 'text/event-stream' } }
    )
  },
  '/v1/appointments': async (request) => {
    request.signal.addEventListener('abort', () => gone++)
    await Bun.sleep(request.headers.has('idempotency-key') ? 0 : 600)
    return echo(request)
  }
}

beforeAll(async () => {
  service = replica((request) => (answers[new URL(request.url).pathname] ?? echo)(request))
  gateway = await rig(service.url, { patience: { answerMs: 300, bodyMs: 300 } })
})
afterAll(async () => {
  await gateway.stop()
  await service.stop()
})
const get = (path: string, init: RequestInit = {}) => fetch(gateway.url + path, { redirect: 'manual', ...init })
const asPatient = async () => ({ authorization: await gateway.signer.bearer({ role: 'patient' }) })

test('a service sees the headers of the list, one address of the client, and nothing forged', async () => {
  const answer = await get('/v1/doctors?q=ana&limit=2', {
    headers: {
      accept: 'application/json',
      'accept-language': 'pt-BR',
      'if-match': '3',
      'x-forwarded-for': '6.6.6.6',
      'x-forwarded-host': 'evil',
      forwarded: 'for=6.6.6.6',
      'x-real-ip': '6.6.6.6',
      'x-user-id': 'admin',
      cookie: 'a=b',
      te: 'trailers',
      connection: 'close, x-secret',
      'x-secret': '1'
    }
  })
  const { path, headers } = (await answer.json()) as Echo
  expect(path).toBe('/v1/doctors?q=ana&limit=2')
  expect(headers).toMatchObject({
    accept: 'application/json',
    'accept-language': 'pt-BR',
    'if-match': '3',
    'x-forwarded-for': '127.0.0.1',
    via: '1.1 healthmed'
  })
  for (const name of ['x-forwarded-host', 'forwarded', 'x-real-ip', 'x-user-id', 'cookie', 'te', 'x-secret'])
    expect(headers).not.toHaveProperty(name)
})

test('a client sees the headers of the list, and those that protect it', async () => {
  const { headers, status } = await get('/v1/waitlist', { method: 'POST', headers: await asPatient() })
  expect([status, headers.get('location'), headers.get('cache-control'), headers.get('via')]).toEqual([
    201,
    '/v1/waitlist/1',
    'private',
    '1.1 healthmed'
  ])
  expect(headers.get('x-content-type-options')).toBe('nosniff')
  for (const name of ['server', 'x-powered-by', 'set-cookie']) expect([name, headers.get(name)]).toEqual([name, null])
})

test('what a person reads is not stored by anybody between, unless the service says how', async () => {
  const { headers } = await get('/v1/doctors/me/profile', { headers: { authorization: await gateway.signer.bearer({ role: 'doctor' }) } })
  expect(headers.get('cache-control')).toBe('no-store')
  expect((await get('/v1/doctors')).headers.get('cache-control')).toBeNull()
})

test('the request id of the client is echoed and passed on, a bad one is replaced, a trace goes on', async () => {
  const trace = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  const kept = await get('/v1/doctors', { headers: { 'x-request-id': 'abc-1', traceparent: trace } })
  const { headers } = (await kept.json()) as Echo
  expect([kept.headers.get('x-request-id'), headers['x-request-id'], headers.traceparent?.slice(0, 36)]).toEqual([
    'abc-1',
    'abc-1',
    trace.slice(0, 36)
  ])
  const replaced = (await get('/v1/doctors', { headers: { 'x-request-id': 'a b' } })).headers.get('x-request-id')
  expect(replaced).toMatch(/^[0-9a-f-]{36}$/)
})

test('a compressed answer passes untouched', async () => {
  const answer = await get('/v1/specialties', { decompress: false } as RequestInit)
  expect([answer.headers.get('content-encoding'), answer.headers.get('etag')]).toEqual(['gzip', '"s"'])
  expect(Buffer.from(await answer.arrayBuffer()).equals(zipped)).toBe(true)
})

test('304 and 204 have no body, HEAD is answered as GET is without one', async () => {
  const same = await get('/v1/slots', { headers: { 'if-none-match': '"x"' } })
  const empty = await get('/v1/slots')
  const head = await get('/v1/doctors', { method: 'HEAD' })
  expect([same.status, same.headers.get('etag'), empty.status, head.status]).toEqual([304, '"x"', 204, 200])
  expect([await same.text(), await empty.text(), await head.text()]).toEqual(['', '', ''])
})

test('a large answer comes whole', async () => {
  const answer = await get('/v1/auth/me/export', { headers: await asPatient() })
  expect((await answer.text()).length).toBe(3_000_000)
})

test('a redirect is not followed, and an address of the inside is not told', async () => {
  const answer = await get('/v1/auth/me', { headers: await asPatient() })
  expect([answer.status, answer.headers.get('location')]).toEqual([302, null])
})

test('an error that is no problem of ours is replaced', async () => {
  const answer = await get('/v1/holds', { method: 'POST', headers: await asPatient() })
  const text = await answer.text()
  expect([answer.status, JSON.parse(text).code]).toEqual([500, 'internal_error'])
  expect(text).not.toContain('select')
})

test('a service that is silent is 504 in time', async () => {
  const answer = await get('/v1/appointments', { headers: await asPatient() })
  expect([answer.status, (await problemOf(answer)).code]).toEqual([504, 'upstream_timeout'])
})

test('an event stream comes piece by piece, longer than an answer may take, and its end reaches the service', async () => {
  const control = new AbortController()
  const answer = await get('/v1/events', { headers: await asPatient(), signal: control.signal })
  const reader = answer.body?.getReader()
  const started = performance.now()
  let text = ''
  while (performance.now() - started < 500) text += new TextDecoder().decode((await reader?.read())?.value)
  expect(text.split('\n\n').length).toBeGreaterThan(10)
  const before = gone
  control.abort()
  await eventually(() => gone > before)
})

test('a client that leaves before the answer ends the call to the service', async () => {
  const before = gone
  const control = new AbortController()
  const leaving = get('/v1/appointments', { headers: await asPatient(), signal: control.signal })
  const seen = service.seen.length
  await eventually(() => service.seen.length > seen)
  control.abort()
  await expect(leaving).rejects.toThrow()
  await eventually(() => gone > before, 250)
})

test('a body goes on byte for byte, with its length or in chunks', async () => {
  const headers = { ...(await asPatient()), 'content-type': 'application/json', 'idempotency-key': 'k' }
  const text = '{"a":"ção",  "b":[1]}'
  const sized = (await (await get('/v1/appointments', { method: 'POST', headers, body: text })).json()) as Echo
  const body = new ReadableStream({
    start(controller) {
      for (const part of [text.slice(0, 5), text.slice(5)]) controller.enqueue(new TextEncoder().encode(part))
      controller.close()
    }
  })
  const chunked = (await (await get('/v1/appointments', { method: 'POST', headers, body })).json()) as Echo
  expect([sized.body, chunked.body, chunked.headers['idempotency-key']]).toEqual([text, text, 'k'])
})
