import { join } from 'node:path'
import type { Static } from '@sinclair/typebox'
import type { Subprocess } from 'bun'
import { AggregatorRegistry, type MetricObject } from 'prom-client'
import { drain } from '#platform/http/health'
import { log } from '#platform/setup/log'
import { registry } from '#platform/setup/metrics'
import type { settingsSchema } from './settings.ts'

/** What a worker says of itself. */
type Report = { id: number; isReady: boolean; metrics: MetricObject[] }
type Worker = { nth: number; child: Subprocess; waiting: Map<number, (report: Report) => void> }

/** The gateways of one machine that share its port. */
export type Workers = {
  /** Whether all are there and ready. */
  areReady: () => Promise<boolean>
  /** The metrics of all, each with the label `worker`; 0 is the process that holds them. */
  metrics: () => Promise<string>
  stop: () => Promise<void>
}

const ASK_MS = 1_000
const RESTART_MS = 500

/** Starts `GATEWAY_WORKERS` gateways; one that ends by itself is started again. Throws where the port is taken. */
export async function startWorkers({ GATEWAY_WORKERS, PORT, HOST }: Static<typeof settingsSchema>): Promise<Workers> {
  refuseTakenPort(PORT, HOST)
  const workers = new Map<number, Worker>()
  let isStopping = false
  const start = (nth: number) => {
    const worker = spawn(nth)
    workers.set(nth, worker)
    worker.child.exited.then(async (code) => {
      if (isStopping) return
      log.error({ worker: nth, code }, 'a worker ended, it is started again')
      await Bun.sleep(RESTART_MS)
      if (!isStopping) start(nth)
    })
  }
  for (let nth = 1; nth <= GATEWAY_WORKERS; nth++) start(nth)
  const reports = () => Promise.all([...workers.values()].map(ask))
  return {
    areReady: async () => (await reports()).every((report) => report?.isReady),
    metrics: async () => textOf(await reports()),
    stop: async () => {
      isStopping = true
      drain()
      for (const { child } of workers.values()) child.kill('SIGTERM')
      await Promise.all([...workers.values()].map(({ child }) => child.exited))
    }
  }
}

/** A port that processes share is taken by nobody as the kernel sees it: without this a second system would get half of the first one's clients. */
function refuseTakenPort(port: number, hostname: string): void {
  Bun.listen({ hostname, port, exclusive: true, socket: { data() {} } }).stop(true)
}

function spawn(nth: number): Worker {
  const waiting: Worker['waiting'] = new Map()
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'worker.ts')], {
    env: process.env,
    stdio: ['ignore', 'inherit', 'inherit'],
    ipc: (report: Report) => {
      waiting.get(report.id)?.(report)
      waiting.delete(report.id)
    }
  })
  return { nth, child, waiting }
}

let asked = 0
async function ask({ nth, child, waiting }: Worker): Promise<(Report & { nth: number }) | undefined> {
  const id = ++asked
  const { promise, resolve } = Promise.withResolvers<Report | undefined>()
  waiting.set(id, resolve)
  const late = setTimeout(() => resolve(undefined), ASK_MS)
  try {
    child.send(id)
    const report = await promise
    return report && { ...report, nth }
  } catch {
    return undefined
  } finally {
    clearTimeout(late)
    waiting.delete(id)
  }
}

async function textOf(reports: Awaited<ReturnType<typeof ask>>[]): Promise<string> {
  const known = reports.filter((report) => report !== undefined)
  const all = [labelled(0, await registry.getMetricsAsJSON()), ...known.map(({ nth, metrics }) => labelled(nth, metrics))]
  return AggregatorRegistry.aggregate(all).metrics()
}

/** With a label that tells workers apart nothing is ever added up here: Prometheus does that better. */
const labelled = (worker: number, metrics: MetricObject[]) =>
  metrics.map((metric) => ({
    ...metric,
    values: (metric as { values?: { labels: object }[] }).values?.map((value) => ({ ...value, labels: { worker, ...value.labels } })) ?? []
  }))
