import type { Socket, SocketHandler } from 'bun'
import { bodyOf, quantile } from '../drive.ts'
import type { People } from '../people.ts'
import { populate } from '../people.ts'
import { judged, ms, perSecond, type Result } from '../row.ts'
import { startWorld } from '../world.ts'

const CLIENTS = 20_000
const PROCESSES = 2
const SECONDS = 60
/** In which they connect, a thousand a second. */
const COMING_SECONDS = 20
/** Between two requests of one client. */
const THINK_SECONDS = 30
/** Addresses from which the clients of a process come. */
const ADDRESSES = 50

/**
 * `network`: of the addresses that a process has for its clients. Once many ports of one address are taken, Linux looks long for the next that is free, and
 * generators whose clients shared an address stood still for up to two seconds.
 */
type Job = { url: string; network: string; clients: number; seconds: number; thinkSeconds: number; doctors: string[] }
/** `coming`: times of answers to what was asked before all were there. */
type Told = { open: number; errors: number; coming: number[]; times: number[]; statuses: Record<number, number> }

/** 20,000 clients that keep their connection and look at slots every half a minute, through a gateway of two workers. */
export async function clients(): Promise<Result[]> {
  const world = await startWorld({ GATEWAY_WORKERS: '2' })
  try {
    const people: People = await populate(world, 20_000)
    const jobs = Array.from(
      { length: PROCESSES },
      (_, nth): Job => ({
        url: world.url,
        network: `127.0.${nth + 1}`,
        clients: CLIENTS / PROCESSES,
        seconds: SECONDS,
        thinkSeconds: THINK_SECONDS,
        doctors: people.doctors.slice(0, 1_000)
      })
    )
    const told = await Promise.all(jobs.map(inProcess))
    const sorted = (which: 'times' | 'coming') => told.flatMap((each) => each[which]).sort((a, b) => a - b)
    const [times, coming] = [sorted('times'), sorted('coming')]
    const [open, errors] = [told.reduce((sum, each) => sum + each.open, 0), told.reduce((sum, each) => sum + each.errors, 0)]
    const wrong = told.flatMap(({ statuses }) => Object.entries(statuses)).filter(([status]) => status !== '200')
    if (open !== CLIENTS || errors > 0 || wrong.length > 0)
      throw new Error(`${open} clients were open, ${errors} errors, ${JSON.stringify(wrong)}`)
    return [
      judged(`${CLIENTS.toLocaleString('en')} open keep-alive clients, no error, p99`, {
        ours: `p99 ${ms(quantile(times, 0.99))}, median ${ms(quantile(times, 0.5))} at ${perSecond(times.length / (SECONDS - COMING_SECONDS))}`,
        reference: `while they come p99 ${ms(quantile(coming, 0.99))}`,
        value: quantile(times, 0.99),
        unit: ' ms',
        goal: ['under', 250],
        details: { requests: times.length + coming.length, memory: world.memory() }
      })
    ]
  } finally {
    await world.stop()
  }
}

async function inProcess(job: Job): Promise<Told> {
  let tell = (_: Told) => {}
  const told = new Promise<Told>((resolve) => {
    tell = resolve
  })
  const child = Bun.spawn([process.execPath, import.meta.path], { stdout: 'inherit', ipc: (message) => tell(message as Told) })
  child.send(job)
  const result = await Promise.race([told, child.exited.then(() => Promise.reject(new Error('a generator ended')))])
  child.kill()
  return result
}

/** One client: what has come of the answer it waits for, and since when that was due (0: it thinks). */
type Client = { nth: number; socket?: Socket<Client>; got: Buffer | undefined; since: number; isOver: boolean }

/** Lets clients live: each connects, asks, thinks, asks. Times count from when a request was due, so that a late start is not hidden. */
async function live({ url, network, clients: count, seconds, thinkSeconds, doctors }: Job): Promise<Told> {
  const { hostname, port } = new URL(url)
  const told: Told = { open: 0, errors: 0, coming: [], times: [], statuses: {} }
  const began = performance.now()
  const [allThere, end] = [began + COMING_SECONDS * 1000, began + seconds * 1000]
  const clients = Array.from({ length: count }, (_, nth): Client => ({ nth, got: undefined, since: 0, isOver: false }))
  const due = Float64Array.from(clients, ({ nth }) => began + (nth / count) * COMING_SECONDS * 1000)

  const ask = (client: Client) => {
    client.socket?.write(`GET /v1/doctors/${doctors[(client.nth * 17) % doctors.length]}/slots HTTP/1.1\r\nhost: bench\r\n\r\n`)
  }
  const handlers: SocketHandler<Client> = {
    open: (socket) => {
      told.open++
      socket.data.socket = socket
      ask(socket.data)
    },
    data: ({ data: client }, piece) => {
      client.got = client.got ? Buffer.concat([client.got, piece]) : piece
      if (bodyOf(client.got) === undefined) return
      const status = Number(client.got.toString('latin1', 9, 12))
      const now = performance.now()
      ;(client.since < allThere ? told.coming : told.times).push(now - client.since)
      told.statuses[status] = (told.statuses[status] ?? 0) + 1
      Object.assign(client, { got: undefined, since: 0 })
      due[client.nth] = now + thinkSeconds * 1000 * (0.5 + Math.random())
    },
    close: ({ data: client }) => {
      if (!client.isOver) told.errors++
    },
    error: () => {}
  }
  const connect = (client: Client) => {
    // `localAddress` is not in Bun's types, but does what it does in Node's `net.connect`
    const localAddress = `${network}.${1 + (client.nth % ADDRESSES)}`
    const options = { hostname, port: Number(port), localAddress, data: client, socket: handlers }
    Bun.connect(options).catch(() => told.errors++)
  }
  const clock = setInterval(() => {
    const now = performance.now()
    if (now > end) return
    for (let nth = 0; nth < count; nth++) {
      const since = due[nth] as number
      if (since > now) continue
      due[nth] = Number.POSITIVE_INFINITY
      const client = clients[nth] as Client
      client.since = since
      if (client.socket) ask(client)
      else connect(client)
    }
  }, 2)
  await Bun.sleep(end + 5_000 - performance.now())
  clearInterval(clock)
  for (const client of clients) {
    client.isOver = true
    if (client.since > 0) told.errors++
    client.socket?.terminate()
  }
  return told
}

if (import.meta.main) process.on('message', async (job) => process.send?.(await live(job as Job)))
