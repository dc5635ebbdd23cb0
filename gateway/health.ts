import { Elysia } from 'elysia'
import { type Service, services } from './routes.ts'
import type { Upstream } from './upstreams.ts'

const ASK_MS = 2_000
const KEPT_MS = 1_000
/** Without these two nobody can book; mails wait in the queue for the notifier. */
const critical: Service[] = ['auth', 'scheduling']

/** `GET /health`: the system as a whole, 503 where a part is down that nothing goes on without. */
export const health = (upstreams: Record<Service, Upstream>) => {
  let last: { at: number; states: Promise<(readonly [Service, 'up' | 'degraded' | 'down'])[]> } | undefined
  // whoever asks often asks the replicas no more often than once a second
  const statesNow = () => {
    if (!last || performance.now() - last.at > KEPT_MS)
      last = { at: performance.now(), states: Promise.all(services.map(async (name) => [name, await stateOf(upstreams[name])] as const)) }
    return last.states
  }
  return new Elysia({ name: 'health' }).get(
    '/health',
    async ({ set }) => {
      const states = await statesNow()
      const isDown = states.some(([name, state]) => state === 'down' && critical.includes(name))
      if (isDown) set.status = 503
      set.headers['cache-control'] = 'no-store'
      const status = isDown ? 'down' : states.every(([, state]) => state === 'up') ? 'up' : 'degraded'
      return { status, services: Object.fromEntries(states) }
    },
    { detail: { summary: 'The health of the whole system', tags: ['Operations'] } }
  )
}

/** Up where one replica at least is ready; of several, `degraded` where not all are. */
async function stateOf(upstream: Upstream): Promise<'up' | 'degraded' | 'down'> {
  const answers = await Promise.all(upstream.replicas().map(({ url }) => isReady(url)))
  if (!answers.includes(true)) return 'down'
  return answers.includes(false) ? 'degraded' : 'up'
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(ASK_MS) })).ok
  } catch {
    return false
  }
}
