import type { Running } from './process.ts'
import { say, yellow } from './terminal.ts'

const LONGEST_PAUSE_MS = 30_000
const WELL_AFTER_MS = 60_000

/** Starts a process again whenever it ends, after a pause that doubles while it keeps ending soon, until `stopping` says so. */
export async function supervise(first: Running, start: () => Promise<Running>, stopping: AbortSignal): Promise<void> {
  let pause = 500
  for (let running: Running | undefined = first; !stopping.aborted; ) {
    const since = performance.now()
    const code = await running?.exited
    if (stopping.aborted) return
    if (performance.now() - since > WELL_AFTER_MS) pause = 500
    if (running) say(yellow(`  ! ${first.name} ended with ${code === -1 ? 'a signal' : code}; it is started again in ${pause / 1000} s`))
    // what it started itself would hold its ports
    await running?.stop()
    await Bun.sleep(pause)
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS)
    if (stopping.aborted) return
    running = await start().catch((error: Error) => {
      if (!stopping.aborted) say(yellow(`  ! ${first.name} could not be started again: ${error.message}`))
      return undefined
    })
    if (running) say(`  ${first.name} is back`)
  }
}
