import { afterAll, beforeAll, expect, test } from 'bun:test'
import { once } from 'node:events'
import { connect } from 'node:net'
import { type Replica, type Rig, raw, replica, rig } from './testing.ts'

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

/** Requests whose end two programs could see at two places. */
const corpus: [name: string, bytes: string][] = [
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
  ['lines that end in LF alone', 'GET /v1/doctors HTTP/1.1\nHost: localhost\n\n'],
  ['a header line that ends in LF alone', `GET /v1/doctors HTTP/1.1\r\n${HOST}X-A: b\nX-B: c\r\n\r\n`],
  ['CR within a value', `GET /v1/doctors HTTP/1.1\r\n${HOST}X-A: b\rX-B: c\r\n\r\n`],
  ['NUL within a value', `GET /v1/doctors HTTP/1.1\r\n${HOST}X-A: b\0c\r\n\r\n`],
  ['NUL within a name', `GET /v1/doctors HTTP/1.1\r\n${HOST}X\0A: b\r\n\r\n`],
  ['NUL within the path', `GET /v1/doc\0tors HTTP/1.1\r\n${HOST}\r\n`],
  ['rubbish after the last chunk', post(CHUNKED, '2\r\n{}\r\n0\r\nXX')],
  ['rubbish after a chunk', post(CHUNKED, `2\r\n{}XX0\r\n\r\n${next}`)],
  ['a chunk size past all numbers', post(CHUNKED, `FFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n${next}`)],
  ['a chunk size with a sign', post(CHUNKED, `+2\r\n{}\r\n0\r\n\r\n${next}`)],
  ['a chunk extension with LF', post(CHUNKED, `2;a\nb\r\n{}\r\n0\r\n\r\n${next}`)],
  ['an unknown version', `GET /v1/doctors HTTP/1.9\r\n${HOST}\r\n`],
  ['the target of a tunnel', 'CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n'],
  ['a header of 40 kB', `GET /v1/doctors HTTP/1.1\r\n${HOST}X-A: ${'x'.repeat(40_000)}\r\n\r\n`]
]

test.each(corpus)('%s: refused, answered once at most, and never by the service', async (_, bytes) => {
  const before = service.seen.length
  const { text, isClosed } = await raw(gateway.port, bytes, 800)
  const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status))
  expect(statuses.length).toBeLessThanOrEqual(1)
  for (const status of statuses) expect(status).toBeOneOf([400, 404, 405, 413, 431, 505])
  expect(isClosed).toBe(true)
  expect(service.seen.length).toBe(before)
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

test('a client that waits to be told is told to send its body', async () => {
  const { text } = await raw(gateway.port, post('Expect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n', '{}'), 1_000)
  expect(text).toStartWith('HTTP/1.1 100 Continue')
  expect(text).toContain('HTTP/1.1 200')
})
