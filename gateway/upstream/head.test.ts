import { afterAll, beforeAll, expect, test } from 'bun:test'
import { Elysia } from 'elysia'
import { handlerOf, http, listen, problems } from '#platform/http/app'
import { type Rig, raw, rig } from '../testing/testing.ts'

/* HEAD through the gateway before a service as ours are: the head of the answer to GET, and no more. */
let service: ReturnType<typeof listen>
let gateway: Rig
let ended = 0
const doctors = { items: ['ção'], nextCursor: null }
beforeAll(async () => {
  const app = new Elysia(http)
    .use(problems)
    .get('/v1/doctors', () => doctors)
    .get('/v1/slots', ({ set }) => {
      set.status = 304
      set.headers.etag = '"s"'
    })
    .get('/v1/events', () => {
      const body = new ReadableStream({ start: (controller) => controller.enqueue(': here\n\n'), cancel: () => void ended++ })
      return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
    })
  service = listen(handlerOf(app), { port: 0, host: '127.0.0.1' })
  gateway = await rig(`http://127.0.0.1:${service.port}`)
})
afterAll(async () => {
  await gateway.stop()
  await service.stop()
})

/** The answer to one request as its bytes tell it. */
async function ask(method: string, path: string, { port, token }: { port: number; token?: string }) {
  const authorization = token ? `Authorization: ${token}\r\n` : ''
  const { text } = await raw(port, `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${authorization}Connection: close\r\n\r\n`, 5_000)
  const [head = '', body = ''] = text.split('\r\n\r\n')
  const header = (name: string) => [...head.matchAll(new RegExp(`^${name}: (.*)$`, 'gim'))].map(([, value]) => value)
  return {
    status: head.slice(9, 12),
    lengths: header('content-length'),
    framing: header('transfer-encoding'),
    type: header('content-type'),
    body
  }
}

test.each([
  ['an answer of a service', '/v1/doctors', '200'],
  ['a problem of a service', '/v1/specialties', '404'],
  ['a problem of the gateway', '/v1/nowhere', '404'],
  ['a page of the gateway', '/problems/slot_taken', '200'],
  ['a file of the gateway', '/assets/page.css', '200'],
  ['what is nowhere', '/nowhere', '404']
])('%s has with HEAD the length that it has with GET, and no body', async (_, path, status) => {
  const [get, head] = [await ask('GET', path, gateway), await ask('HEAD', path, gateway)]
  expect(get.lengths).toEqual([String(Buffer.byteLength(get.body, 'latin1'))])
  expect(Number(get.lengths)).toBeGreaterThan(0)
  expect([head.status, head.lengths, head.type, head.body]).toEqual([status, get.lengths, get.type, ''])
})

test('a service by itself tells the length as well', async () => {
  expect(await ask('HEAD', '/v1/doctors', service)).toMatchObject({
    status: '200',
    lengths: [String(Buffer.byteLength(JSON.stringify(doctors)))],
    body: ''
  })
})

test('an answer without a body has no length to tell', async () => {
  expect(await ask('HEAD', '/v1/slots', gateway)).toMatchObject({ status: '304', lengths: [], framing: [], body: '' })
})

test('what comes piece by piece has no length, and is not begun', async () => {
  const token = await gateway.signer.bearer({})
  const { status, lengths, framing, body } = await ask('HEAD', '/v1/events', { port: gateway.port, token })
  expect([status, lengths, framing, body, ended]).toEqual(['200', [], ['chunked'], '', 1])
})
