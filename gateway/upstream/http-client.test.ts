import { afterEach, expect, test } from 'bun:test'
import type { Socket } from 'bun'
import fc from 'fast-check'
import { beforeChunks, readChunks } from './chunks.ts'
import { isStreamed } from './forward.ts'
import { type Received, type Sent, type Wire, WireError, wireTo } from './http-client.ts'

const open: (() => void)[] = []
afterEach(() => {
  for (const stop of open.splice(0)) stop()
})

/** A server that sends bytes as they are, the n-th list for the n-th call on any connection; `null` ends the connection. */
function scripted(...answers: (string | null)[][]): { wire: Wire; calls: string[]; connections: () => number } {
  const calls: string[] = []
  let connections = 0
  const server = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open: () => {
        connections++
      },
      data: async (socket, bytes) => {
        const pieces = answers[calls.length] ?? []
        calls.push(bytes.toString())
        for (const piece of pieces) {
          if (piece === null) socket.end()
          else socket.write(Buffer.from(piece, 'latin1'))
          await Bun.sleep(2)
        }
      }
    }
  })
  const wire = wireTo(`http://127.0.0.1:${server.port}`)
  open.push(wire.close, () => server.stop(true))
  return { wire, calls, connections: () => connections }
}

const call = (more: Partial<Sent> = {}): Sent => ({
  head: 'GET /x HTTP/1.1\r\nhost: h\r\n\r\n',
  body: undefined,
  isHead: false,
  isFresh: false,
  patienceMs: 400,
  hasLeft: () => false,
  ...more
})
const textOf = async ({ body }: Received) =>
  body === null ? null : isStreamed(body) ? await new Response(body.readable).text() : body.toString()
const kindOf = (wire: Wire, more: Partial<Sent> = {}) =>
  wire.send(call(more)).then(
    () => 'answered',
    (error) => (error instanceof WireError ? error.kind : error)
  )
const OK = 'HTTP/1.1 200 OK\r\n'

test.each<[name: string, pieces: (string | null)[], text: string | null]>([
  ['in one piece', [`${OK}Content-Length: 2\r\n\r\nhi`], 'hi'],
  ['byte by byte', [...`${OK}Content-Length: 2\r\n\r\nhi`], 'hi'],
  ['without a body', [`${OK}Content-Length: 0\r\n\r\n`], null],
  ['with 204 and no length', ['HTTP/1.1 204 No Content\r\n\r\n'], null],
  ['in chunks', [`${OK}Transfer-Encoding: chunked\r\n\r\n`, '2\r\nh', 'i\r\n', '3;x=y\r\nyou\r\n0\r\nT: r\r\n', '\r\n'], 'hiyou'],
  ['until the end of the connection', [`${OK}\r\nhi`, 'there', null], 'hithere'],
  ['after an interim one', [`HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${OK}Content-Length: 2\r\n\r\nhi`], 'hi'],
  ['of a size that is streamed', [`${OK}Content-Length: 300000\r\n\r\n`, 'x'.repeat(150_000), 'x'.repeat(150_000)], 'x'.repeat(300_000)]
])('an answer %s is read', async (_, pieces, text) => {
  const { wire } = scripted(pieces)
  const received = await wire.send(call())
  expect(await textOf(received)).toBe(text)
})

test.each<[name: string, pieces: (string | null)[]]>([
  ['that is no HTTP', ['SSH-2.0-OpenSSH\r\n\r\n']],
  ['with two lengths', [`${OK}Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi`]],
  ['with a length that is none', [`${OK}Content-Length: 2x\r\n\r\nhi`]],
  ['in an unknown framing', [`${OK}Transfer-Encoding: gzip\r\n\r\nhi`]],
  ['longer than it says', [`${OK}Content-Length: 2\r\n\r\nhix`]],
  ['that ends too soon', [`${OK}Content-Length: 5\r\n\r\nhi`, null]],
  ['of nothing', [null]],
  ['whose head has no end', [`${OK}${'X-A: b\r\n'.repeat(10_000)}`]],
  ['with a header without a name', [`${OK}: x\r\nContent-Length: 0\r\n\r\n`]]
])('an answer %s is none', async (_, pieces) => {
  const { wire } = scripted(pieces)
  expect(await kindOf(wire)).toBe('broken')
})

test.each<[name: string, header: string, body?: string]>([
  ['text', 'x: a'],
  ['bytes that are no ASCII', 'x: caf\xe9 \xff'],
  ['more text than a socket takes at once', `x: ${'a'.repeat(20_000_000)}`],
  ['more such bytes', `x: ${'\xe9'.repeat(20_000_000)}`],
  ['a body', 'x: \xe9', 'b'.repeat(20_000_000)]
])('a call goes out byte for byte: %s', async (_, header, body = '') => {
  const head = `GET /x HTTP/1.1\r\n${header}\r\n\r\n`
  const whole = head.length + body.length
  const hash = new Bun.CryptoHasher('sha1')
  let came = 0
  const server = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      data: (socket, bytes) => {
        hash.update(bytes)
        came += bytes.length
        if (came === whole) socket.write(`${OK}Content-Length: 2\r\n\r\nhi`)
      }
    }
  })
  const wire = wireTo(`http://127.0.0.1:${server.port}`)
  open.push(wire.close, () => server.stop(true))
  expect(await textOf(await wire.send(call({ head, body: body ? Buffer.from(body) : undefined, patienceMs: 20_000 })))).toBe('hi')
  expect(hash.digest('hex')).toBe(new Bun.CryptoHasher('sha1').update(Buffer.from(head + body, 'latin1')).digest('hex'))
})

test('a stream that breaks off is told as broken, never as complete', async () => {
  const { wire } = scripted(
    [`${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n`, null],
    [`${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nhiXX`]
  )
  for (const _ of [1, 2]) await expect(wire.send(call()).then(textOf)).rejects.toThrow()
})

test('a connection serves one call after the other, but never one that left something behind', async () => {
  const plain = [`${OK}Content-Length: 2\r\n\r\nhi`]
  const closing = [`${OK}Content-Length: 2\r\nConnection: close\r\n\r\nhi`]
  const { wire, connections } = scripted(plain, plain, closing, plain, [`${OK}Content-Length: 2\r\n\r\nhi`, 'HTTP/1.1 200 forged'], plain)
  const next = async (more?: Partial<Sent>) => {
    expect(await textOf(await wire.send(call(more)))).toBe('hi')
    await Bun.sleep(10)
    return connections()
  }
  expect([await next(), await next()]).toEqual([1, 1])
  expect([await next(), await next()]).toEqual([1, 2])
  expect([await next(), await next()]).toEqual([2, 3])
})

test('a connection whose answer was read late serves the next call', async () => {
  const long = 'x'.repeat(600_000)
  const { wire, connections } = scripted([`${OK}Content-Length: ${long.length}\r\n\r\n${long}`], [`${OK}Content-Length: 2\r\n\r\nhi`])
  const first = await wire.send(call({ patienceMs: 2_000 }))
  await Bun.sleep(50)
  expect((await textOf(first))?.length).toBe(long.length)
  expect(await textOf(await wire.send(call()))).toBe('hi')
  expect(connections()).toBe(1)
})

test('a second try gets a connection of its own', async () => {
  const plain = [`${OK}Content-Length: 0\r\n\r\n`]
  const { wire, connections } = scripted(plain, plain)
  await wire.send(call())
  await wire.send(call({ isFresh: true }))
  expect(connections()).toBe(2)
})

test('a replica that bids farewell on one connection is asked on none of the others again', async () => {
  const plain = `${OK}Content-Length: 0\r\n\r\n`
  const { wire, connections } = scripted([plain], [OK, 'Connection: close\r\nContent-Length: 0\r\n\r\n'], [plain])
  await Promise.all([wire.send(call()), wire.send(call())])
  expect(connections()).toBe(2)
  await wire.send(call())
  expect(connections()).toBe(3)
})

test('a replica is known to stay for a moment after an answer that does not say otherwise', async () => {
  const plain = `${OK}Content-Length: 0\r\n\r\n`
  const { wire } = scripted([plain], [OK, 'Connection: close\r\nContent-Length: 0\r\n\r\n'])
  expect(wire.isStaying()).toBe(false)
  await wire.send(call())
  expect(wire.isStaying()).toBe(true)
  await Bun.sleep(250)
  expect(wire.isStaying()).toBe(false)
  await wire.send(call())
  expect(wire.isStaying()).toBe(false)
})

test('silence is late, a client that went away is left, a closed door is refused', async () => {
  const { wire } = scripted([], [])
  const gone = wireTo('http://127.0.0.1:1')
  expect(await Promise.all([kindOf(wire, { patienceMs: 100 }), kindOf(wire, { hasLeft: () => true }), kindOf(gone)])).toEqual([
    'late',
    'left',
    'refused'
  ])
  gone.close()
})

test('a reader who is slow slows the service, and fills no memory', async () => {
  const total = 100_000_000
  const piece = Buffer.alloc(256 * 1024)
  let sent = 0
  const pour = (socket: Socket) => {
    while (sent < total) {
      const written = socket.write(piece.subarray(0, Math.min(piece.length, total - sent)))
      sent += Math.max(0, written)
      if (written < piece.length) return
    }
  }
  const server = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      data: (socket) => {
        socket.write(`${OK}Content-Length: ${total}\r\n\r\n`)
        pour(socket)
      },
      drain: pour
    }
  })
  const wire = wireTo(`http://127.0.0.1:${server.port}`)
  open.push(wire.close, () => server.stop(true))
  const { body } = await wire.send(call())
  if (!isStreamed(body)) throw new Error('so large a body is streamed')
  await Bun.sleep(300)
  // what the buffers of the two sockets hold, and no more
  expect(sent).toBeLessThan(30_000_000)
  let read = 0
  for await (const part of body.readable) read += part.length
  expect([read, sent]).toEqual([total, total])
}, 20_000)

test('chunks read the same however the bytes are cut', () => {
  const parts = fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }), { maxLength: 8 })
  fc.assert(
    fc.property(parts, fc.array(fc.nat(20), { maxLength: 60 }), (pieces, cuts) => {
      const framed = pieces.flatMap((piece) => [Buffer.from(`${piece.length.toString(16)}\r\n`), Buffer.from(piece), Buffer.from('\r\n')])
      const bytes = Buffer.concat([...framed, Buffer.from('0\r\n\r\n')])
      const state = beforeChunks()
      const read: Buffer[] = []
      for (let at = 0, n = 0; at < bytes.length; n++) {
        const cut = bytes.subarray(at, at + (cuts[n % Math.max(1, cuts.length)] ?? 7) + 1)
        readChunks(state, cut, (piece) => read.push(Buffer.from(piece)))
        at += cut.length
      }
      expect(state.phase).toBe('done')
      expect(Buffer.concat(read).equals(Buffer.concat(pieces))).toBe(true)
    })
  )
})

test.each(['x\r\n', '-1\r\n', '1\n', '2\r\nabX\r\n', ' 1\r\n', '\r\n', '123456789\r\n', `1;${'x'.repeat(5_000)}`])(
  '%p begins no chunk',
  (text) => {
    expect(() => readChunks(beforeChunks(), Buffer.from(text), () => {})).toThrow()
  }
)
