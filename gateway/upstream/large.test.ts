import { afterAll, beforeAll, expect, test } from 'bun:test'
import { once } from 'node:events'
import { connect } from 'node:net'
import { Elysia, t } from 'elysia'
import { handlerOf, http, listen, problems } from '#platform/http/app'
import { type Replica, type Rig, raw, replica, rig } from '../testing/testing.ts'

/* Bodies that are too large, and clients that ask first whether they may send one. */
let service: Replica
let gateway: Rig
let inside: ReturnType<typeof listen>
beforeAll(async () => {
  service = replica()
  gateway = await rig(service.url)
  const app = new Elysia(http).use(problems).post('/v1/auth/login', ({ body }) => ({ length: body.text.length }), {
    body: t.Object({ text: t.String() })
  })
  inside = listen(handlerOf(app), { port: 0, host: '127.0.0.1' })
})
afterAll(async () => {
  await gateway.stop()
  await inside.stop()
  await service.stop()
})

const headOf = (framing: string, { method = 'POST', path = '/v1/auth/login' } = {}) =>
  `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${framing}\r\n\r\n`
const CHUNKED = 'Transfer-Encoding: chunked'
const chunkOf = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`
const ports = { 'the gateway': () => gateway.port, 'a service': () => inside.port }

/** Sends a head and then pieces, each once the one before it was taken, until something comes back; gives all that did until the connection was closed. */
function pour(port: number, head: string, piece: string): Promise<{ text: string; sent: number }> {
  return new Promise((resolve) => {
    let [text, sent] = ['', 0]
    const socket = connect(port, '127.0.0.1')
    const more = () => {
      if (text !== '' || socket.destroyed) return
      sent += piece.length
      socket.write(piece, 'latin1', more)
    }
    socket.write(head, 'latin1', more)
    socket.on('data', (data) => {
      text += data.toString('latin1')
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve({ text, sent }))
  })
}

const refusedAs = (text: string) => {
  const [head = '', body = ''] = text.split('\r\n\r\n')
  return [head.slice(0, 12), /^connection: close$/im.test(head), /^content-type: (.*)$/im.exec(head)?.[1], JSON.parse(body || '{}').code]
}
const tooLarge = ['HTTP/1.1 413', true, 'application/problem+json', 'body_too_large']

for (const [where, portOf] of Object.entries(ports)) {
  test.each([65_537, 1_048_577, 5_000_000_000, 9_007_199_254_740_991])(
    `a body of %d bytes is refused by ${where} before it is sent, with the reason, and the connection closed`,
    async (length) => {
      const { text, isClosed } = await raw(portOf(), headOf(`Content-Length: ${length}`), 5_000)
      expect([refusedAs(text), isClosed]).toEqual([tooLarge, true])
    }
  )

  test(`chunks without an end are refused by ${where} while they are sent, and the connection is closed`, async () => {
    const { text } = await pour(portOf(), headOf(CHUNKED), chunkOf('x'.repeat(4_000)))
    expect(refusedAs(text)).toEqual(tooLarge)
  })
}

test('a service reads chunks up to the limit', async () => {
  const text = 'x'.repeat(60_000)
  const body = new ReadableStream({
    start(controller) {
      for (const part of ['{"text":"', text, '"}']) controller.enqueue(new TextEncoder().encode(part))
      controller.close()
    }
  })
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`http://127.0.0.1:${inside.port}/v1/auth/login`, { method: 'POST', headers, body })
  expect([answer.status, await answer.json()]).toEqual([200, { length: 60_000 }])
})

test.each([
  ['GET', '/v1/doctors', 413],
  ['HEAD', '/v1/doctors', 413],
  ['POST', '/v1/nowhere', 404],
  ['POST', '/v1/appointments', 401],
  ['PUT', '/v1/doctors', 405],
  ['POST', '/docs', 413]
])('%s %s with a large body is refused and closed: nobody waits for it', async (method, path, status) => {
  const { text, isClosed } = await raw(gateway.port, headOf('Content-Length: 3000000', { method, path }), 5_000)
  expect([text.slice(0, 12), isClosed]).toEqual([`HTTP/1.1 ${status}`, true])
})

/** A client that sends its head, waits to be told to go on, and only then sends the body. Gives what came before the body and all that came. */
async function askFirst(path: string): Promise<{ before: string; all: string }> {
  const socket = connect(gateway.port, '127.0.0.1')
  let all = ''
  let before: string | undefined
  socket.on('data', (data) => {
    all += data.toString('latin1')
    if (before !== undefined || !all.includes('\r\n\r\n')) return
    before = all
    // one that was refused already has nothing to send
    if (before === GO_ON) socket.write('{}')
  })
  socket.write(headOf('Content-Length: 2\r\nExpect: 100-continue\r\nConnection: close', { path }))
  await once(socket, 'close')
  return { before: before ?? '', all }
}
const GO_ON = 'HTTP/1.1 100 Continue\r\n\r\n'

test('a client that waits to be told is told to send its body, and is answered once it did', async () => {
  const { before, all } = await askFirst('/v1/auth/login')
  expect(before).toBe(GO_ON)
  expect(all).toStartWith(`${GO_ON}HTTP/1.1 200`)
  expect(all).toContain('"body":"{}"')
})

/** What is refused without its body. Bun says 100 to each client that asks before any code of ours runs: the refusal comes right after it. */
const refused: [why: string, path: string, length: number, status: number, code: string][] = [
  ['its body would be too large', '/v1/auth/login', 3_000_000, 413, 'body_too_large'],
  ['it has no token', '/v1/appointments', 2, 401, 'unauthenticated'],
  ['there is nothing', '/v1/nowhere', 2, 404, 'not_found']
]

test.each(refused)(
  'a client that waits to be told, and is refused since %s, hears it without sending a byte of the body',
  async (...the) => {
    const [, path, length, status, code] = the
    const { text, isClosed } = await raw(gateway.port, headOf(`Content-Length: ${length}\r\nExpect: 100-continue`, { path }), 5_000)
    expect(text).toStartWith(`${GO_ON}HTTP/1.1 ${status}`)
    expect([JSON.parse(text.split('\r\n\r\n')[2] ?? '{}').code, isClosed]).toEqual([code, true])
  }
)

test('a body that nobody reads fills no memory', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const slow = replica(async () => {
    await promise
    return new Response('{}')
  })
  const waiting = await rig(slow.url)
  const socket = connect(waiting.port, '127.0.0.1')
  socket.write(headOf(CHUNKED, { method: 'GET', path: '/v1/doctors' }))
  const piece = Buffer.from(chunkOf('x'.repeat(1_000_000)))
  const before = process.memoryUsage.rss()
  for (let n = 0; n < 200; n++) await new Promise((done) => socket.write(piece, done))
  expect((process.memoryUsage.rss() - before) / 1e6).toBeLessThan(100)
  socket.destroy()
  resolve()
  await waiting.stop()
  await slow.stop()
}, 60_000)
