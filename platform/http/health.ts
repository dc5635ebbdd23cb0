import { Elysia } from 'elysia'
import { gauge, registry } from '../setup/metrics.ts'

/** A dependency: whether it is up, whether the process can do its work without it, and `why` it is down where that is known. */
export type Check = {
  name: string
  critical: boolean
  up: () => Promise<boolean> | boolean
  why?: () => string | undefined
  /** What `/health` of the whole system and the output of `bun start` say while it is down, for a fault that somebody has to look at. */
  problem?: string
}

const CHECK_MS = 2_000
let draining = false
let watched: Check[] = []

gauge('dependency_up', 'Whether what this process needs is there', ['dependency', 'critical'], async function () {
  const states = await statesOf(watched)
  for (const { name, critical, up } of states) this.set({ dependency: name, critical: String(critical) }, up ? 1 : 0)
})

/** From now on `/health/ready` answers 503, so that no new work is sent here. */
export const drain = (): void => {
  draining = true
}

/** `/health/live`, `/health/ready` (says which dependency is down; only a critical one makes it 503) and `/metrics`. */
export const ops = (checks: Check[], metrics: () => Promise<string> = () => registry.metrics()) => {
  watched = checks
  return new Elysia({ name: 'ops', detail: { hide: true } })
    .get('/health/live', () => ({ status: 'up' }))
    .get('/health/ready', async ({ set }) => {
      const states = await statesOf(checks)
      const reasons = states.flatMap(({ name, up, why }) => (up || !why?.() ? [] : [[name, why()]]))
      const down = draining || states.some((state) => state.critical && !state.up)
      if (down) set.status = 503
      return {
        status: draining ? 'draining' : down ? 'down' : states.every((state) => state.up) ? 'up' : 'degraded',
        checks: Object.fromEntries(states.map((state) => [state.name, state.up ? 'up' : 'down'])),
        ...(reasons.length > 0 && { reasons: Object.fromEntries(reasons) }),
        ...problemsOf(states)
      }
    })
    .get('/metrics', async ({ set }) => {
      set.headers['content-type'] = registry.contentType
      return metrics()
    })
}

const statesOf = (checks: Check[]) => Promise.all(checks.map(async (check) => ({ ...check, up: await within(check.up) })))

function problemsOf(states: { up: boolean; problem?: string }[]): { problems?: string[] } {
  const problems = states.flatMap(({ up, problem }) => (up || !problem ? [] : [problem]))
  return problems.length > 0 ? { problems } : {}
}

/** Events leave this process: false once the first in line has not left for 60 s. */
export const eventsCheck = (isFlowing: () => boolean): Check => ({
  name: 'events',
  critical: false,
  up: isFlowing,
  problem: 'Events have not left for 60 s: other services and emails do not learn what happens'
})

/** The queues of this process are read: false once one has had no consumer for 60 s. */
export const consumersCheck = (isConsuming: () => boolean): Check => ({
  name: 'consumers',
  critical: false,
  up: isConsuming,
  problem: 'A queue has had no consumer for 60 s: events wait in it'
})

async function within(up: Check['up']): Promise<boolean> {
  try {
    return await Promise.race([up(), Bun.sleep(CHECK_MS).then(() => false)])
  } catch {
    return false
  }
}
