import { afterEach, expect, test } from 'bun:test'
import { connect, type Socket } from 'node:net'
import { freePort } from '#platform/setup/ports'
import { eventually } from '#platform/testing/testing'
import { echo, problemOf, type Replica, type Rig, replica, rig } from '../testing/testing.ts'

/* Replicas that do not answer, and that come back. */
const open: { stop: () => unknown }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.stop()
})
const before = async (...urls: string[]): Promise<Rig> => {
  const one = await rig(urls.join(','))
  open.push(one)
  return one
}
const started = (): Replica => {
  const one = replica()
  open.push(one)
  return one
}

/** What listens and takes nothing: a process that stands still. */
const LISTENER =
  "require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, function () { console.log(this.address().port) })"

/** An address at which a connection is neither made nor refused: a listener that stands still, with its queue full. */
async function blackHole(): Promise<string> {
  const child = Bun.spawn([process.execPath, '-e', LISTENER], { stdout: 'pipe', stderr: 'inherit' })
  const port = Number(new TextDecoder().decode((await child.stdout.getReader().read()).value))
  child.kill('SIGSTOP')
  const waiting: Socket[] = []
  open.push({
    stop: async () => {
      for (const socket of waiting) socket.destroy()
      child.kill('SIGKILL')
      await child.exited
    }
  })
  for (let isFull = false; !isFull; ) {
    const socket = connect(port, '127.0.0.1')
    waiting.push(socket)
    socket.on('error', () => {})
    isFull = await Promise.race([
      new Promise<boolean>((resolve) => socket.once('connect', () => resolve(false))),
      Bun.sleep(700).then(() => true)
    ])
  }
  return `http://127.0.0.1:${port}`
}

const write = async ({ url, signer }: Rig) =>
  fetch(`${url}/v1/waitlist`, {
    method: 'POST',
    headers: { authorization: await signer.bearer({}), 'content-type': 'application/json' },
    body: '{}'
  })

test('an address that never answers is given up in time, and the call done elsewhere, a write without a key too', async () => {
  const hole = await blackHole()
  const gateway = await before(hole, started().url)
  const aside = () => gateway.upstreams.scheduling.replicas().some(({ url, asideUntil }) => url === hole && asideUntil > 0)
  // of so many some choose it first
  const reads = Array.from({ length: 30 }, () => fetch(`${gateway.url}/v1/doctors`))
  const writes = Array.from({ length: 30 }, () => write(gateway))
  const statuses = (await Promise.all([...reads, ...writes])).map(({ status }) => status)
  expect([new Set(statuses), aside()]).toEqual([new Set([200]), true])
}, 30_000)

test('where only such an address is known the answer is that nobody can be reached, and not that a service is slow', async () => {
  const gateway = await before(await blackHole())
  const answers = await Promise.all([fetch(`${gateway.url}/v1/doctors`), write(gateway)])
  for (const answer of answers) expect([answer.status, (await problemOf(answer)).code]).toEqual([503, 'upstream_unavailable'])
}, 30_000)

test('a replica that was gone and is back is used again', async () => {
  const port = freePort()
  const start = () => {
    const seen: Request[] = []
    const handler = (request: Request) => {
      seen.push(request)
      return echo(request)
    }
    const server = Bun.serve({ port, hostname: '127.0.0.1', fetch: handler })
    open.push({ stop: () => server.stop(true) })
    return { seen, stop: () => server.stop(true) }
  }
  const first = start()
  const other = started()
  const gateway = await before(`http://127.0.0.1:${port}`, other.url)
  const ask = async () => expect((await fetch(`${gateway.url}/v1/doctors`)).status).toBe(200)
  const askUntil = (isEnough: () => boolean) =>
    eventually(async () => {
      await ask()
      return isEnough()
    })
  const one = gateway.upstreams.scheduling.replicas()[0]
  await askUntil(() => first.seen.length > 0)
  await first.stop()
  await askUntil(() => (one?.asideUntil ?? 0) > 0)
  const back = start()
  await askUntil(() => back.seen.length > 0)
  expect(one?.asideUntil).toBe(0)
}, 30_000)
