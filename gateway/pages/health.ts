import { Elysia, t } from 'elysia'
import { about } from '#platform/docs/about'
import { type Service, services } from '../routes.ts'
import type { Upstream } from '../upstream/upstreams.ts'
import { healthPage } from './health-page.ts'
import { wantsPage } from './html.ts'

const ASK_MS = 2_000
const KEPT_MS = 1_000
/** Without these two nobody can book; mails wait in the queue for the notifier. */
const critical: Service[] = ['auth', 'scheduling']

const State = t.Union([t.Literal('up'), t.Literal('degraded'), t.Literal('down')], {
  description: 'Degraded: some replicas are away, or a part that others go on without'
})
const Problems = t.Array(
  t.Object({ service: t.String({ examples: ['auth'] }), problem: t.String({ examples: ['A queue has had no consumer for 60 s'] }) }),
  {
    description: 'Faults that somebody has to look at, though everybody can still call; left out where there are none'
  }
)
const healthOf = (description: string) =>
  t.Object(
    { status: State, services: t.Object({ auth: State, scheduling: State, notifier: State }), problems: t.Optional(Problems) },
    { description }
  )
type Health = { state: 'up' | 'degraded' | 'down'; problems: string[] }

/** `GET /health`: the system as a whole, 503 where a part is down that nothing goes on without. */
export const health = (upstreams: Record<Service, Upstream>) => {
  let last: { at: number; states: Promise<(readonly [Service, Health])[]> } | undefined
  // whoever asks often asks the replicas no more often than once a second
  const statesNow = () => {
    if (!last || performance.now() - last.at > KEPT_MS)
      last = {
        at: performance.now(),
        states: Promise.all(services.map(async (name) => [name, await healthOfService(upstreams[name])] as const))
      }
    return last.states
  }
  return new Elysia({ name: 'health' }).get(
    '/health',
    async ({ set, request }) => {
      const healths = await statesNow()
      const states = healths.map(([name, { state }]) => [name, state] as const)
      const problems = healths.flatMap(([service, health]) => health.problems.map((problem) => ({ service, problem })))
      const isDown = states.some(([name, state]) => state === 'down' && critical.includes(name))
      const status = isDown ? 'down' : states.every(([, state]) => state === 'up') ? 'up' : 'degraded'
      const answer = {
        status,
        services: Object.fromEntries(states) as Record<Service, 'up' | 'degraded' | 'down'>,
        ...(problems.length > 0 && { problems })
      } as const
      if (wantsPage(request)) return healthPage(answer, request) as never
      if (isDown) set.status = 503
      set.headers['cache-control'] = 'no-store'
      set.headers.vary = 'accept'
      return answer
    },
    {
      response: {
        200: healthOf('Everybody can go on, though it may be in part'),
        503: healthOf('A part is down without which nobody can book')
      },
      detail: about({
        summary: 'The health of the whole system',
        description:
          'Asked of every replica at most once a second, and never counted against a limit. The notifier may be down without a 503: mails wait in their queue. With `Accept: text/html` it is a page for people.',
        tags: ['Operations']
      })
    }
  )
}

/** Up where every replica is ready and reports no problem; down where none is ready. */
async function healthOfService(upstream: Upstream): Promise<Health> {
  const answers = await Promise.all(upstream.replicas().map(({ url }) => askReplica(url)))
  const ready = answers.filter((problems) => problems !== undefined)
  const problems = [...new Set(ready.flat())]
  if (ready.length === 0) return { state: 'down', problems }
  return { state: ready.length < answers.length || problems.length > 0 ? 'degraded' : 'up', problems }
}

/** The problems that a replica reports; undefined where it is not ready. */
async function askReplica(url: string): Promise<string[] | undefined> {
  try {
    const answer = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(ASK_MS) })
    if (!answer.ok) return undefined
    const { problems = [] } = (await answer.json().catch(() => ({}))) as { problems?: string[] }
    return problems
  } catch {
    return undefined
  }
}
