import { quantile } from '../drive.ts'
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

type Job = { url: string; clients: number; seconds: number; thinkSeconds: number; doctors: string[] }
/** `coming`: times of answers to what was asked before all were there. */
type Told = { open: number; errors: number; coming: number[]; times: number[]; statuses: Record<number, number> }

/** 20,000 clients that keep their connection and look at slots every half a minute, through a gateway of two workers. */
export async function clients(): Promise<Result[]> {
  const world = await startWorld({ GATEWAY_WORKERS: '2' })
  try {
    const people: People = await populate(world, 20_000)
    const job: Job = {
      url: world.url,
      clients: CLIENTS / PROCESSES,
      seconds: SECONDS,
      thinkSeconds: THINK_SECONDS,
      doctors: people.doctors.slice(0, 1_000)
    }
    const told = await Promise.all(Array.from({ length: PROCESSES }, () => inProcess(job)))
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

/** A client's life: connects, asks, thinks, asks. */
async function live({ url, clients: count, seconds, thinkSeconds, doctors }: Job): Promise<Told> {
  const { hostname, port } = new URL(url)
  const told: Told = { open: 0, errors: 0, coming: [], times: [], statuses: {} }
  const began = performance.now()
  const end = began + seconds * 1000
  const one = async (nth: number) => {
    await Bun.sleep((nth / count) * COMING_SECONDS * 1000)
    let [since, got, over] = [0, '', false]
    const socket = await Bun.connect({
      hostname,
      port: Number(port),
      socket: {
        data: (_, data) => {
          got += data.toString('latin1')
          const length = /\r\ncontent-length: (\d+)/i.exec(got)?.[1]
          const at = got.indexOf('\r\n\r\n')
          if (at < 0 || (length === undefined ? !got.endsWith('0\r\n\r\n') : got.length < at + 4 + Number(length))) return
          const status = Number(got.slice(9, 12))
          const answers = since - began < COMING_SECONDS * 1000 ? told.coming : told.times
          answers.push(performance.now() - since)
          told.statuses[status] = (told.statuses[status] ?? 0) + 1
          got = ''
          since = 0
          setTimeout(ask, thinkSeconds * 1000 * (0.5 + Math.random()))
        },
        close: () => {
          if (!over) told.errors++
        },
        error: () => {}
      }
    })
    told.open++
    const ask = () => {
      if (performance.now() > end) return
      since = performance.now()
      socket.write(`GET /v1/doctors/${doctors[(nth * 17) % doctors.length]}/slots HTTP/1.1\r\nhost: bench\r\n\r\n`)
    }
    ask()
    await Bun.sleep(end + 5_000 - performance.now())
    over = true
    if (since > 0) told.errors++
    socket.terminate()
  }
  await Promise.all(Array.from({ length: count }, (_, nth) => one(nth).catch(() => told.errors++)))
  return told
}

if (import.meta.main) process.on('message', async (job) => process.send?.(await live(job as Job)))
