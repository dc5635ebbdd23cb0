import { afterEach, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { freePort } from '#platform/setup/ports'
import { eventually, signer } from '#platform/testing/testing'
import { authOf, type Process, startGateway } from './testing/testing.ts'

/* Several gateways of one machine at one port. */
const running: { stop: () => Promise<void> }[] = []
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop()
})

async function start(settings: Record<string, string>, slow = 0): Promise<Process> {
  const service = authOf(await signer(), slow)
  const one = await startGateway(service.url, settings)
  running.push(one, service)
  await eventually(async () => one.child.exitCode !== null || (await fetch(`${one.ops}/health/ready`)).ok)
  return one
}

const metricsOf = async ({ ops }: Process) => (await fetch(`${ops}/metrics`)).text()
const servedBy = (metrics: string) =>
  [...metrics.matchAll(/http_request_seconds_count\{(?=[^}]*route="\/v1\/doctors")[^}]*worker="(\d+)"[^}]*\} (\d+)/g)].map(
    ([, worker, count]) => [worker, Number(count)] as const
  )
const pidsOf = async (gateway: Process) => {
  const listed = Bun.spawnSync(['ps', '-o', 'pid=', '--ppid', String(gateway.child.pid)])
  return listed.stdout.toString().trim().split(/\s+/).filter(Boolean).map(Number)
}
/** Asks on connections of its own, as many clients would. */
const askMany = (gateway: Process, times: number) =>
  Promise.all(
    Array.from({ length: times }, async () => (await fetch(`${gateway.url}/v1/doctors`, { headers: { connection: 'close' } })).status)
  )

test('all workers take part, and the metrics tell them apart', async () => {
  const gateway = await start({ GATEWAY_WORKERS: '3' })
  expect(new Set(await askMany(gateway, 300))).toEqual(new Set([200]))
  const served = servedBy(await metricsOf(gateway))
  expect(served.map(([worker]) => worker).sort()).toEqual(['1', '2', '3'])
  expect(served.reduce((sum, [, count]) => sum + count, 0)).toBe(300)
  expect(await metricsOf(gateway)).toMatch(/healthmed_event_loop_lag_seconds\{[^}]*worker="0"/)
}, 30_000)

test('a worker that dies is started again, and readiness tells', async () => {
  const gateway = await start({ GATEWAY_WORKERS: '2' })
  const before = await pidsOf(gateway)
  expect(before).toHaveLength(2)
  process.kill(before[0] as number, 'SIGKILL')
  await eventually(async () => {
    const now = await pidsOf(gateway)
    return now.length === 2 && !now.includes(before[0] as number)
  })
  await eventually(async () => (await fetch(`${gateway.ops}/health/ready`)).ok)
  expect(new Set(await askMany(gateway, 50))).toEqual(new Set([200]))
}, 30_000)

test('a port that somebody has is refused, also by the workers of another system', async () => {
  const port = String(freePort())
  await start({ GATEWAY_WORKERS: '2', PORT: port })
  const second = await start({ GATEWAY_WORKERS: '2', PORT: port })
  expect(await second.child.exited).not.toBe(0)
}, 30_000)

test('workers end with the one that started them, however it ends', async () => {
  const gateway = await start({ GATEWAY_WORKERS: '2' })
  const pids = await pidsOf(gateway)
  gateway.child.kill('SIGKILL')
  const isThere = (pid: number) => {
    try {
      return process.kill(pid, 0)
    } catch {
      return false
    }
  }
  await eventually(() => !pids.some(isThere), 15_000)
}, 30_000)

const READ = 'GET /v1/doctors HTTP/1.1\r\nhost: clinic.example\r\n\r\n'
const WRITE = 'POST /v1/auth/login HTTP/1.1\r\nhost: clinic.example\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}'

/** Clients that stay connected and ask, each over a socket of its own and after a pause of its own, until they are told to leave. */
function busyClients(gateway: Process, count: number, call = READ, pauseMs = 0) {
  const told = { answered: 0, failed: [] as string[] }
  const { port } = new URL(gateway.url)
  const client = () =>
    new Promise<void>((resolve) => {
      let waiting = false
      let text = ''
      const socket = connect(Number(port), '127.0.0.1')
      const ask = () => {
        waiting = true
        socket.write(call)
      }
      socket.on('connect', ask)
      socket.on('data', (data) => {
        text += data.toString('latin1')
        const head = text.indexOf('\r\n\r\n')
        const length = Number(/content-length: (\d+)/i.exec(text.slice(0, head))?.[1])
        if (head < 0 || text.length < head + 4 + length) return
        waiting = false
        const isOver = /connection: close/i.test(text.slice(0, head))
        if (text.startsWith('HTTP/1.1 200')) told.answered++
        else told.failed.push(text.slice(0, 12))
        text = ''
        if (isOver) socket.end()
        else if (pauseMs === 0) ask()
        else setTimeout(ask, Math.random() * pauseMs)
      })
      socket.on('error', () => {})
      socket.on('close', () => {
        if (waiting) told.failed.push('cut off')
        resolve()
      })
    })
  return { told, done: Promise.all(Array.from({ length: count }, client)) }
}

test.each([
  ['busy readers', '1', READ, 0],
  ['busy readers', '2', READ, 0],
  ['busy writers without a key', '1', WRITE, 0],
  ['writers without a key who pause', '1', WRITE, 700],
  ['writers without a key who pause', '2', WRITE, 700]
])(
  'asked to end under 200 connections of %s, %s worker(s) fail no request and end with 0',
  async (_, workers, call, pauseMs) => {
    const gateway = await start({ GATEWAY_WORKERS: workers }, 5)
    const { told, done } = busyClients(gateway, 200, call, pauseMs)
    await eventually(() => told.answered > (pauseMs ? 500 : 2_000), 20_000)
    gateway.child.kill('SIGTERM')
    await done
    expect([await gateway.child.exited, told.failed]).toEqual([0, []])
  },
  40_000
)
