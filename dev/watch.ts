import { STALLED_AFTER_MS, type StallWatch, stallWatch } from '#platform/events/stall'
import { say, yellow } from './terminal.ts'

type Problem = { service: string; problem: string }
type Watching = { read: () => Promise<Problem[]>; tell?: (line: string) => void; pause?: () => Promise<void> }

const EVERY_MS = 10_000

/** Prints each problem that the system reports of itself once when it begins and once when it is over, until `stopping` says so. */
export async function watchProblems(
  stopping: AbortSignal,
  { read, tell = say, pause = () => Bun.sleep(EVERY_MS) }: Watching
): Promise<void> {
  let known = new Set<string>()
  while (!stopping.aborted) {
    // while the gateway is away its supervisor has a word on it, and what was known stays known
    const found = await read().catch(() => undefined)
    if (stopping.aborted) return
    if (found) {
      const now = new Set(found.map(({ service, problem }) => `${service}: ${problem}`))
      for (const line of now.difference(known)) tell(yellow(`  ! ${line}. \`bun run ops doctor\` says more.`))
      for (const line of known.difference(now)) tell(`  over: ${line}`)
      known = now
    }
    await pause()
  }
}

/**
 * Reads the problems of the system at `gateway`: those that `/health` names, and services that have not been ready for 60 s, which can name none
 * themselves while events wait in their queue.
 */
export function problemReader(gateway: string, nowMs = () => performance.now()): () => Promise<Problem[]> {
  const readiness = new Map<string, StallWatch>()
  return async () => {
    const answer = await fetch(`${gateway}/health`, { headers: { accept: 'application/json' }, signal: AbortSignal.timeout(5_000) })
    const { problems = [], services } = (await answer.json()) as { problems?: Problem[]; services: Record<string, string> }
    const away = Object.entries(services).filter(([service, state]) => {
      const watch = readiness.get(service) ?? stallWatch(STALLED_AFTER_MS, nowMs)
      readiness.set(service, watch)
      watch.observe(state === 'down' ? 'down' : undefined)
      return watch.isStalled()
    })
    return [...problems, ...away.map(([service]) => ({ service, problem: 'It has not been ready for 60 s; events wait in its queue' }))]
  }
}
