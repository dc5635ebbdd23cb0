import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { gauge } from '#platform/setup/metrics'
import { type Wire, wireTo } from './http-client.ts'

/** One replica of a service: where it is, how many calls run, and until when it is set aside (Unix milliseconds). */
export type Replica = { url: string; busy: number; failures: number; asideUntil: number; wire: Wire }

/** The replicas of a service as they are known now. */
export type Upstream = {
  /** The less busy of two taken at random, leaving out `not` where there is another. Undefined where no address is known. */
  pick: (not?: Replica) => Replica | undefined
  /** Says how a call went: a refused connection or three failures in a row set a replica aside, each further one for longer. */
  failed: (replica: Replica, refused: boolean) => void
  succeeded: (replica: Replica) => void
  replicas: () => Replica[]
  refresh: () => Promise<void>
  stop: () => void
}

/** How often names are resolved again, in milliseconds. */
const RESOLVE_MS = 3_000
const FAILURES = 3
const ASIDE_MS = 2_000
const ASIDE_MOST_MS = 15_000

/** All addresses of a name. Throws where it cannot be resolved. */
export type Resolve = (name: string) => Promise<string[]>
const resolveAll: Resolve = async (name) => (await lookup(name, { all: true })).map(({ address }) => address)

const states = gauge('upstream_replicas', 'Replicas of a service by state', ['upstream', 'state'])

/** Follows the replicas of a service: `address` is a URL or a comma list of them; a name in it stands for all of its addresses. */
export async function upstreamOf(
  name: string,
  address: string,
  { resolve = resolveAll, nowMs = Date.now, every = RESOLVE_MS }: { resolve?: Resolve; nowMs?: () => number; every?: number } = {}
): Promise<Upstream> {
  const origins = address.split(',').map((part) => new URL(part.trim()))
  let replicas: Replica[] = []

  const found = new Map<URL, string[]>()
  const urlsOf = async (origin: URL): Promise<string[]> => {
    const host = origin.hostname.replace(/^\[|\]$/g, '')
    if (isIP(host)) return [origin.origin]
    const port = origin.port ? `:${origin.port}` : ''
    try {
      const addresses = await resolve(host)
      // localhost has two families of addresses and one process behind them
      const own = host === 'localhost' ? addresses.slice(0, 1) : addresses
      found.set(
        origin,
        own.map((ip) => `${origin.protocol}//${isIP(ip) === 6 ? `[${ip}]` : ip}${port}`)
      )
    } catch {
      // a name server that is away for a moment must not empty the list
    }
    return found.get(origin) ?? []
  }
  const replicaAt = (url: string): Replica => {
    // one that is about to stop is asked for nothing more: its door would close on whoever stands in it
    const leave = () => {
      replica.asideUntil = Math.max(replica.asideUntil, nowMs() + ASIDE_MS)
    }
    const replica: Replica = { url, busy: 0, failures: 0, asideUntil: 0, wire: wireTo(url, leave) }
    return replica
  }
  const refresh = async () => {
    const urls = [...new Set((await Promise.all(origins.map(urlsOf))).flat())]
    const known = new Map(replicas.map((replica) => [replica.url, replica]))
    replicas = urls.map((url) => known.get(url) ?? replicaAt(url))
    for (const [url, { wire }] of known) if (!urls.includes(url)) wire.close()
    const aside = replicas.filter(({ asideUntil }) => asideUntil > nowMs()).length
    states.set({ upstream: name, state: 'in use' }, replicas.length - aside)
    states.set({ upstream: name, state: 'set aside' }, aside)
  }

  const pick = (not?: Replica): Replica | undefined => {
    const single = replicas[0]
    if (replicas.length <= 1) return single
    const now = nowMs()
    const others = replicas.filter((replica) => replica !== not)
    const well = others.filter((replica) => replica.asideUntil <= now)
    // all are set aside: trying one is better than refusing
    const choice = well.length > 0 ? well : others
    const first = choice[Math.floor(Math.random() * choice.length)] as Replica
    const second = choice[Math.floor(Math.random() * choice.length)] as Replica
    return second.busy < first.busy ? second : first
  }
  const failed = (replica: Replica, refused: boolean) => {
    replica.failures = Math.max(replica.failures + 1, refused ? FAILURES : 0)
    if (replica.failures < FAILURES) return
    replica.asideUntil = nowMs() + Math.min(ASIDE_MOST_MS, ASIDE_MS * 2 ** (replica.failures - FAILURES))
  }
  const succeeded = (replica: Replica) => {
    // one that bade farewell goes on answering what it has
    if (replica.failures >= FAILURES) replica.asideUntil = 0
    replica.failures = 0
  }

  await refresh()
  const timer = setInterval(() => refresh().catch(() => {}), every)
  const stop = () => {
    clearInterval(timer)
    for (const { wire } of replicas) wire.close()
  }
  return { pick, failed, succeeded, replicas: () => replicas, refresh, stop }
}
