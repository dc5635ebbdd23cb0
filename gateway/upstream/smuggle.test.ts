import { afterAll, beforeAll, expect, test } from 'bun:test'
import { once } from 'node:events'
import { connect } from 'node:net'
import { eventually } from '#platform/testing/testing'
import { type Replica, type Rig, raw, replica, rig } from '../testing/testing.ts'

let service: Replica
let gateway: Rig
beforeAll(async () => {
  service = replica()
  gateway = await rig(service.url)
})
afterAll(async () => {
  await gateway.stop()
  await service.stop()
})

const HOST = 'Host: localhost\r\n'
const post = (headers: string, body: string) =>
  `POST /v1/auth/login HTTP/1.1\r\n${HOST}Content-Type: application/json\r\n${headers}\r\n${body}`
const CHUNKED = 'Transfer-Encoding: chunked\r\n'
const next = 'GET /v1/specialties HTTP/1.1\r\nHost: localhost\r\n\r\n'

/**
 * What Bun answers where it takes the first line for one of another version: the line goes on past its LF or its NUL. It is as final as 400, and comes
 * before any code of ours.
 */
const NO_VERSION = 505
/** A head that is too long: told as such. */
const TOO_LONG = 431

/** Requests whose end two programs could see at two places, with what they are answered where it is not 400. */
const corpus: [name: string, bytes: string, status?: number][] = [
  ['CL.TE', post(`Content-Length: 6\r\n${CHUNKED}`, `0\r\n\r\n${next}`)],
  ['TE.CL', post(`${CHUNKED}Content-Length: 4\r\n`, `2\r\n{}\r\n0\r\n\r\n${next}`)],
  ['TE.TE, the second another', post(`${CHUNKED}Transfer-Encoding: identity\r\n`, `0\r\n\r\n${next}`)],
  ['TE of an unknown word', post('Transfer-Encoding: xchunked\r\n', `0\r\n\r\n${next}`)],
  ['TE of two words', post('Transfer-Encoding: gzip, chunked\r\n', `0\r\n\r\n${next}`)],
  ['TE with a tab', post('Transfer-Encoding:\tidentity\r\n', `0\r\n\r\n${next}`)],
  ['TE in HTTP/1.0', post(CHUNKED, `0\r\n\r\n${next}`).replace('HTTP/1.1', 'HTTP/1.0')],
  ['two Host', `GET /v1/doctors HTTP/1.1\r\n${HOST}Host: other\r\n\r\n${next}`],
  ['two equal Host', `GET /v1/doctors HTTP/1.1\r\n${HOST}${HOST}\r\n`],
  ['no Host', 'GET /v1/doctors HTTP/1.1\r\n\r\n'],
  ['two Content-Length', post('Content-Length: 2\r\nContent-Length: 3\r\n', `{}x${next}`)],
  ['two equal Content-Length', post('Content-Length: 2\r\nContent-Length: 2\r\n', '{}')],
  ['Content-Length as a list', post('Content-Length: 2, 2\r\n', '{}')],
  ['Content-Length with a sign', post('Content-Length: +2\r\n', '{}')],
  ['Content-Length below nothing', post('Content-Length: -1\r\n', '{}')],
  ['Content-Length in hexadecimal', post('Content-Length: 0x2\r\n', '{}')],
  ['Content-Length past all numbers', post('Content-Length: 99999999999999999999\r\n', '{}')],
  ['a space before the colon', post('Content-Length : 2\r\n', '{}')],
  ['a folded header', `GET /v1/doctors HTTP/1.1\r\n${HOST}X-A: b\r\n c\r\n\r\n`],
  ['lines that end in LF alone', 'GET /v1/doctors HTTP/1.1\nHost: localhost\n\n', NO_VERSION],
  ['a header line that ends in LF alone', `GET /v1/doctors HTTP/1.1\r\n${HOST}X-A: b\nX-B: c\r\n\r\n`],
  ['CR within a value', `GET /v1/doctors HTTP/1.1\r\n${HOST}X-A: b\rX-B: c\r\n\r\n`],
  ['NUL within a value', `GET /v1/doctors HTTP/1.1\r\n${HOST}X-A: b\0c\r\n\r\n`],
  ['NUL within a name', `GET /v1/doctors HTTP/1.1\r\n${HOST}X\0A: b\r\n\r\n`],
  ['NUL within the path', `GET /v1/doc\0tors HTTP/1.1\r\n${HOST}\r\n`, NO_VERSION],
  ['rubbish after the last chunk', post(CHUNKED, '2\r\n{}\r\n0\r\nXX')],
  ['rubbish after a chunk', post(CHUNKED, `2\r\n{}XX0\r\n\r\n${next}`)],
  ['a chunk size past all numbers', post(CHUNKED, `FFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n${next}`)],
  ['a chunk size with a sign', post(CHUNKED, `+2\r\n{}\r\n0\r\n\r\n${next}`)],
  ['a chunk extension with LF', post(CHUNKED, `2;a\nb\r\n{}\r\n0\r\n\r\n${next}`)],
  ['an unknown version', `GET /v1/doctors HTTP/1.9\r\n${HOST}\r\n`, NO_VERSION],
  ['the target of a tunnel', 'CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n'],
  ['a header of 40 kB', `GET /v1/doctors HTTP/1.1\r\n${HOST}X-A: ${'x'.repeat(40_000)}\r\n\r\n`, TOO_LONG]
]

/** The statuses of all answers in what came back. */
const statusesOf = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status))

test.each(corpus)('%s: answered once, with a refusal, closed, and never by the service', async (_, bytes, status = 400) => {
  const before = service.seen.length
  const { text, isClosed } = await raw(gateway.port, bytes, 5_000)
  expect([statusesOf(text), isClosed, service.seen.length - before]).toEqual([[status], true, 0])
})

/** A chunked request up to the line of its last chunk. Bun hands over the body then, without waiting for the empty line that must follow. */
const unended = post(CHUNKED, '2\r\n{}\r\n0\r\n')
const rubbish = ['XX', 'XX\r\n\r\n', 'X-A: b\r\n\r\n', next]

test.each(rubbish)('%j that comes after the answer to a chunked request gets none: the connection was closed with it', async (bytes) => {
  const socket = connect(gateway.port, '127.0.0.1')
  let text = ''
  socket.on('data', (data) => {
    // the service may see such a call: it is whole, and framed anew for it
    if (text === '') socket.write(bytes)
    text += data.toString()
  })
  // where the other end is gone already
  socket.on('error', () => {})
  socket.write(unended)
  await once(socket, 'close')
  expect(statusesOf(text)).toEqual([200])
  expect(text).toMatch(/\r\nconnection: close\r\n/i)
})

test.each(rubbish)('%j that comes while a chunked request waits for its answer is the one thing answered', async (bytes) => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const slow = replica(async () => {
    await promise
    return new Response('too late')
  })
  const before = await rig(slow.url)
  const socket = connect(before.port, '127.0.0.1')
  let text = ''
  socket.on('data', (data) => {
    text += data.toString()
  })
  socket.write(unended)
  await eventually(() => slow.seen.length === 1)
  socket.write(bytes)
  await once(socket, 'close')
  resolve()
  expect(statusesOf(text)).toEqual([400])
  await before.stop()
  await slow.stop()
})

test('a second request before the answer to the first ends the connection: no answer can be taken for another', async () => {
  const { text, isClosed } = await raw(gateway.port, `${next}${next.replace('specialties', 'doctors')}`, 800)
  expect([text, isClosed]).toEqual(['', true])
})

test('one connection serves one request after the other', async () => {
  const socket = connect(gateway.port, '127.0.0.1')
  const paths: (string | undefined)[] = []
  for (const path of ['/v1/specialties', '/v1/doctors', '/v1/slots']) {
    socket.write(next.replace('/v1/specialties', path))
    const [data] = (await once(socket, 'data')) as [Buffer]
    paths.push(/"path":"([^"]+)"/.exec(data.toString())?.[1])
  }
  socket.destroy()
  expect(paths).toEqual(['/v1/specialties', '/v1/doctors', '/v1/slots'])
})
