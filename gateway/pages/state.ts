import { registry } from '#platform/setup/metrics'
import { type Service, services } from '../routes.ts'
import type { Upstream } from '../upstream/upstreams.ts'

/** A process as it says of itself. Where it is stands nowhere: no address inside leaves. Totals are since its start. */
export type Process = {
  service: Service | 'gateway'
  replica: number
  status: 'up' | 'degraded' | 'draining' | 'down'
  /** What it needs, and whether that is there. */
  checks: Record<string, string>
  version?: string
  startedAt?: string
  residentBytes?: number
  cpuSeconds?: number
  lagSeconds?: number
  requests?: number
  serverErrors?: number
  /** How many requests took at most so many seconds. */
  withinSeconds?: [seconds: number, requests: number][]
}

/** The system at one moment. Seconds are ages. */
export type State = {
  at: string
  processes: Process[]
  outbox: { service: string; waiting: number; oldestSeconds: number }[]
  queues: { queue: string; messages: number }[]
  mails: { waiting: number; oldestSeconds: number; serverUp: boolean } | null
  deadLetters: number | null
}

type Sample = { name: string; labels: Record<string, string>; value: number }
type Told = { process: Process; samples: Sample[] }

const ASK_MS = 1_500

/** Asks every replica of every service for its health and its metrics. One that does not answer is down. */
export async function stateOf(upstreams: Record<Service, Upstream>): Promise<State> {
  const own: Told = told('gateway', 1, { status: 'up', checks: {} }, samplesOf(await registry.metrics()))
  const others = services.flatMap((service) => upstreams[service].replicas().map(({ url }, nth) => ask(service, nth + 1, url)))
  const all = [own, ...(await Promise.all(others))]
  const of = (service: string) => all.filter(({ process }) => process.service === service).flatMap(({ samples }) => samples)
  const notifier = of('notifier')
  return {
    at: new Date().toISOString(),
    processes: all.map(({ process }) => process),
    outbox: ['auth', 'scheduling']
      .filter((service) => most(of(service), 'outbox_depth') !== undefined)
      .map((service) => ({
        service,
        waiting: most(of(service), 'outbox_depth') ?? 0,
        oldestSeconds: most(of(service), 'outbox_oldest_seconds') ?? 0
      })),
    queues: queuesOf(all.flatMap(({ samples }) => samples)),
    mails:
      notifier.length === 0
        ? null
        : {
            waiting: most(notifier, 'mails_waiting') ?? 0,
            oldestSeconds: most(notifier, 'mails_oldest_seconds') ?? 0,
            serverUp: most(notifier, 'smtp_up') !== 0
          },
    deadLetters: most(notifier, 'dead_letters') ?? null
  }
}

async function ask(service: Service, replica: number, url: string): Promise<Told> {
  try {
    const signal = AbortSignal.timeout(ASK_MS)
    const [health, metrics] = await Promise.all([fetch(`${url}/health/ready`, { signal }), fetch(`${url}/metrics`, { signal })])
    return told(service, replica, (await health.json()) as Pick<Process, 'status' | 'checks'>, samplesOf(await metrics.text()))
  } catch {
    return { process: { service, replica, status: 'down', checks: {} }, samples: [] }
  }
}

function told(
  service: Process['service'],
  replica: number,
  { status, checks }: Pick<Process, 'status' | 'checks'>,
  samples: Sample[]
): Told {
  const sum = (name: string, is: (labels: Sample['labels']) => boolean = () => true) =>
    named(samples, name).reduce((total, { labels, value }) => (is(labels) ? total + value : total), 0)
  const started = most(samples, 'process_start_seconds')
  const [build] = named(samples, 'build_info')
  const within = Map.groupBy(named(samples, 'http_request_seconds_bucket'), ({ labels }) => Number(labels.le?.replace('+Inf', 'Infinity')))
  const process: Process = {
    service,
    replica,
    status,
    checks,
    ...(build?.labels.version && { version: build.labels.version }),
    ...(started && { startedAt: new Date(started * 1000).toISOString() }),
    residentBytes: sum('process_resident_bytes'),
    cpuSeconds: sum('process_cpu_seconds'),
    lagSeconds: sum('event_loop_lag_seconds', ({ quantile }) => quantile === '0.99'),
    requests: sum('http_request_seconds_count'),
    serverErrors: sum('http_request_seconds_count', (labels) => labels.status?.startsWith('5') === true),
    withinSeconds: [...within]
      .filter(([seconds]) => Number.isFinite(seconds))
      .map(([seconds, list]): [number, number] => [seconds, list.reduce((total, { value }) => total + value, 0)])
      .sort(([a], [b]) => a - b)
  }
  return { process, samples }
}

const named = (samples: Sample[], name: string) => samples.filter((sample) => sample.name === `healthmed_${name}`)

/** Replicas tell the same of what they share; one that has not looked yet says less. Undefined where nobody tells of it. */
function most(samples: Sample[], name: string): number | undefined {
  const values = named(samples, name).map(({ value }) => value)
  return values.length > 0 ? Math.max(...values) : undefined
}

function queuesOf(samples: Sample[]): State['queues'] {
  const queues = new Map<string, number>()
  for (const { labels, value } of named(samples, 'queue_messages'))
    queues.set(labels.queue ?? '', Math.max(queues.get(labels.queue ?? '') ?? 0, value))
  return [...queues].map(([queue, messages]) => ({ queue, messages })).sort((a, b) => a.queue.localeCompare(b.queue))
}

/** The text format of Prometheus, as our processes write it. */
function samplesOf(text: string): Sample[] {
  return [...text.matchAll(/^(\w+)(?:\{(.*)\})? (\S+)$/gm)].map(([, name = '', labels = '', value]) => ({
    name,
    labels: Object.fromEntries([...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label, text]) => [label, text])),
    value: Number(value)
  }))
}
