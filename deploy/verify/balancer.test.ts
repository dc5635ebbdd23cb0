import { afterAll, afterEach, beforeEach, expect, test } from 'bun:test'
import { balance, type Tally } from './balancer.ts'
import { dropBackups } from './engine.ts'

afterAll(dropBackups)
const well = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => Response.json({ fine: true }) })
// what takes a connection and drops it, as a gateway that is killed, or a published port behind which nobody is any more
const dropping = Bun.listen({ port: 0, hostname: '127.0.0.1', socket: { data: (socket) => void socket.terminate() } })
afterAll(() => {
  well.stop(true)
  dropping.stop(true)
})
const gateways = new Map([
  [`http://127.0.0.1:${dropping.port}`, 'dropping'],
  [`http://127.0.0.1:${well.port}`, 'well']
])

let tally: Tally
let stop = () => {}
beforeEach(() => {
  tally = { requests: 0, failed: [], refused: 0, late: 0, slowestMs: 0, bookings: 0 }
})
afterEach(() => stop())

/** Asks twice, so that each gateway is the first once, while the engine says of what drops connections that it ended at `at`. */
async function twice(at: () => number | undefined) {
  const balancer = balance(gateways, tally, async (container) => (container === 'dropping' ? at() : undefined))
  stop = balancer.stop
  return [(await balancer.ask('GET', '/x')).status, (await balancer.ask('GET', '/x')).status].sort()
}

test('what a gateway had under way when it ended is cut off, and fails', async () => {
  expect(await twice(() => Date.now())).toEqual([0, 200])
  expect(tally.failed).toEqual([{ what: expect.stringContaining('cut off'), cutOff: true }])
})

test('what came to its port after its end reached no gateway, and goes to the other', async () => {
  const before = Date.now() - 100
  expect(await twice(() => before)).toEqual([200, 200])
  expect([tally.failed, tally.late, tally.refused]).toEqual([[], 1, 1])
})

test('a connection that a running gateway drops is a failure, and none that is excused', async () => {
  expect(await twice(() => undefined)).toEqual([0, 200])
  expect(tally.failed).toEqual([{ what: expect.stringContaining('unexplained'), cutOff: false }])
})

test('what is refused goes to the other', async () => {
  const gone = Bun.listen({ port: 0, hostname: '127.0.0.1', socket: { data: () => {} } })
  gone.stop(true)
  const balancer = balance(new Map([[`http://127.0.0.1:${gone.port}`, 'gone'], ...[...gateways].slice(1)]), tally, async () => undefined)
  stop = balancer.stop
  expect([(await balancer.ask('GET', '/x')).status, (await balancer.ask('GET', '/x')).status]).toEqual([200, 200])
  expect([tally.failed, tally.late, tally.refused]).toEqual([[], 0, 1])
})
