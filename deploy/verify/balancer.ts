import { endedAt } from './engine.ts'

/** A request that came to nothing. `cutOff`: the gateway that had it ended while it was under way. */
export type Failure = { what: string; cutOff: boolean }
/** What became of requests: `refused` found no gateway where they were sent and went to the other, of them `late` by way of a port that was still open. */
export type Tally = { requests: number; failed: Failure[]; refused: number; late: number; slowestMs: number; bookings: number }
/** An answer; status 0 where there was none. */
export type Answered = { status: number; body: unknown }
/** A gateway: the container behind its address, and when it was first seen to drop what it had. */
type Gateway = { container: string; droppedAt: number }

const nothing: Answered = { status: 0, body: undefined }
/** So long it may take until the engine knows that a container has ended. */
const KNOWN_MS = 2_000

/** What a balancer does before gateways, which are containers by their address: it sends to each in turn, leaves out what is not there, and tries nothing else again. */
export function balance(containers: Map<string, string>, tally: Tally, ended = endedAt) {
  const gateways = new Map<string, Gateway>([...containers].map(([url, container]) => [url, { container, droppedAt: 0 }]))
  const watched = watchGateways([...containers.keys()])

  /** Whether a request whose connection broke was under way in a gateway that ended, came there only afterwards, or neither. */
  async function fateOf({ container, droppedAt }: Gateway, began: number): Promise<'cut off' | 'late' | 'unexplained'> {
    for (const deadline = Date.now() + KNOWN_MS; ; await Bun.sleep(200)) {
      const at = await ended(container)
      if (at === undefined && Date.now() < deadline) continue
      if (at === undefined) return 'unexplained'
      // the engine notes an end some moments after it: what was under way broke at once
      const end = Math.max(at - KNOWN_MS, Math.min(at, droppedAt))
      return began <= end ? 'cut off' : 'late'
    }
  }

  async function ask(method: string, path: string, token?: string, body?: unknown): Promise<Answered> {
    tally.requests++
    const fail = (why: string, cutOff = false) => {
      tally.failed.push({ what: `${method} ${path.split('?')[0]} ${why}`, cutOff })
      return nothing
    }
    for (const [url, gateway] of inTurn(tally.requests)) {
      const began = Date.now()
      try {
        const response = await fetch(`${url}${path}`, options(method, token, body))
        const text = await response.text()
        tally.slowestMs = Math.max(tally.slowestMs, Date.now() - began)
        if (response.status >= 500) fail(`${response.status} ${text.slice(0, 120)}`)
        return { status: response.status, body: text ? JSON.parse(text) : undefined }
      } catch (error) {
        const { code, message } = error as Error & { code?: string }
        if (!isRefusal(code)) {
          if (Date.now() - gateway.droppedAt > KNOWN_MS) gateway.droppedAt = Date.now()
          const fate = await fateOf({ ...gateway }, began)
          if (fate !== 'late') return fail(`${code ?? message}, ${fate}`, fate === 'cut off')
          tally.late++
        }
        tally.refused++
      }
    }
    return fail('no gateway took the connection')
  }

  /** Those that are well, another first each time; all of them where none is known to be. */
  function inTurn(turn: number): [string, Gateway][] {
    const well = [...gateways].filter(([url]) => watched.isWell(url))
    const all = well.length > 0 ? well : [...gateways]
    const first = turn % all.length
    return [...all.slice(first), ...all.slice(0, first)]
  }

  return { ask, stop: watched.stop }
}

const isRefusal = (code?: string) => code === 'ConnectionRefused' || code === 'ECONNREFUSED'

/** Which gateways it sends to: those that took its last look, a third of a second ago at most. */
function watchGateways(gateways: string[]): { isWell: (url: string) => boolean; stop: () => void } {
  const well = new Set(gateways)
  const look = async (gateway: string) => {
    // it asks every replica and waits 2 s for one that is gone. One that is slow is there all the same; one that is starting has a port that drops all
    const there = await fetch(`${gateway}/health`, { signal: AbortSignal.timeout(5_000), keepalive: false }).then(
      () => true,
      (error: Error) => error.name === 'TimeoutError' && well.has(gateway)
    )
    if (there) well.add(gateway)
    else well.delete(gateway)
  }
  const timer = setInterval(() => gateways.forEach((gateway) => void look(gateway)), 300)
  return { isWell: (url) => well.has(url), stop: () => clearInterval(timer) }
}

const options = (method: string, token: string | undefined, body: unknown): RequestInit => ({
  method,
  headers: {
    ...(token && { authorization: `Bearer ${token}` }),
    ...(body !== undefined && { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() })
  },
  ...(body !== undefined && { body: JSON.stringify(body) }),
  signal: AbortSignal.timeout(20_000)
})
