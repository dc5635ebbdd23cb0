import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import packageJson from '../../package.json' with { type: 'json' }

/** The metrics of this process, served at `/metrics`. */
export const registry = new Registry()

/** A number that only rises; names get the prefix `healthmed_`. */
export const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
  new Counter({ name: `healthmed_${name}`, help, labelNames, registers: [registry] })

/** Starts series of a counter at 0: one that first appears with 1 has not risen, and `increase()` would miss what is watched most, the first time. */
export function fromZero<L extends string>(started: Counter<L>, ...series: Record<L, string>[]): Counter<L> {
  for (const labels of series) started.inc(labels as Partial<Record<L, string | number>>, 0)
  return started
}

/** A number that goes up and down; `collect` is asked at each scrape. */
export const gauge = <L extends string>(name: string, help: string, labelNames: L[], collect?: (this: Gauge<L>) => void | Promise<void>) =>
  new Gauge({ name: `healthmed_${name}`, help, labelNames, registers: [registry], ...(collect && { collect }) })

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15]

/** A distribution of seconds. */
export const histogram = <L extends string>(name: string, help: string, labelNames: L[], buckets = SECONDS) =>
  new Histogram({ name: `healthmed_${name}`, help, labelNames, buckets, registers: [registry] })

/** Requests by route pattern (never the raw path: it would hold ids and be unbounded). */
export const httpRequests = histogram('http_request_seconds', 'Time to answer a request', ['method', 'route', 'status'])

/** Requests that ended as a problem, by its code: refused bookings, failed log-ins, refresh tokens used twice. */
export const problemAnswers = counter('problems_total', 'Requests answered with a problem, by route and code', ['route', 'code'])

// chosen by hand: on Bun most of prom-client's defaults are zero or wrong; looked at often enough for a quantile of a scrape, and the process may sleep
const loop = monitorEventLoopDelay({ resolution: 50 })
loop.enable()
gauge('event_loop_lag_seconds', 'Event loop delay since the last scrape, by quantile', ['quantile'], function () {
  this.set({ quantile: '0.5' }, loop.percentile(50) / 1e9)
  this.set({ quantile: '0.99' }, loop.percentile(99) / 1e9)
  loop.reset()
})
gauge('process_resident_bytes', 'Resident memory', [], function () {
  this.set({}, process.memoryUsage.rss())
})
gauge('process_cpu_seconds', 'Processor time used, user and system', [], function () {
  const { user, system } = process.cpuUsage()
  this.set({}, (user + system) / 1e6)
})
gauge('build_info', 'The version that runs', ['version']).set({ version: packageJson.version }, 1)
gauge('process_start_seconds', 'When the process started, Unix time', []).set({}, Math.round(Date.now() / 1000 - process.uptime()))
