import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Socket } from 'bun'
import { type Replica, type Rig, replica, rig } from '../testing/testing.ts'

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

const head = 'POST /v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'

/** Asks a hundred times, one after the other; how long 99 of them took at most, in ms. */
async function hundred(): Promise<number> {
  const took: number[] = []
  for (let n = 0; n < 100; n++) {
    const started = performance.now()
    expect((await fetch(`${gateway.url}/v1/doctors`)).status).toBe(200)
    took.push(performance.now() - started)
  }
  return took.sort((a, b) => a - b)[98] as number
}

test.each([
  ['their headers', 'GET /v1/doctors HTTP/1.1\r\nHost: localhost\r\n', 'X-A: b\r\n'],
  ['their body', `${head}Content-Length: 5000\r\n\r\n`, ' '],
  ['chunks of it', `${head}Transfer-Encoding: chunked\r\n\r\n`, '1\r\n \r\n']
])(
  'a thousand clients that send %s slowly hinder no other',
  async (_, start, piece) => {
    const usual = await hundred()
    const slow: Socket[] = []
    for (let n = 0; n < 1_000; n++) {
      slow.push(await Bun.connect({ hostname: '127.0.0.1', port: gateway.port, socket: { data() {}, error() {} } }))
      slow.at(-1)?.write(start)
    }
    const drip = setInterval(() => {
      for (const socket of slow) socket.write(piece)
    }, 100)
    const meanwhile = await hundred()
    clearInterval(drip)
    for (const socket of slow) socket.terminate()
    // of a machine that is busy with something else no more can be asked than what it gave before
    expect(meanwhile).toBeLessThan(Math.max(1_000, 5 * usual))
  },
  30_000
)
