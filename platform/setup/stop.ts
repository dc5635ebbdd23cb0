import { describeError, log } from './log.ts'
import { flushSpans } from './spans.ts'

/** One thing to stop, by name, in order. */
export type Step = [name: string, stop: () => unknown]

const LIMIT_MS = 9_500

/**
 * A promise that nobody awaited and that failed: a fault of ours or of a library, told in the log, for which nobody who is being served should pay.
 * What was thrown outside of any promise may have left anything half done, and ends the process.
 */
function tellOfFaults(): void {
  process.on('unhandledRejection', (error) => log.error(describeError(error), 'a promise failed that nobody awaited'))
  process.on('uncaughtException', (error) => {
    log.fatal(describeError(error), 'an error that nobody caught, the process ends')
    process.exit(70)
  })
}

/** On SIGTERM or SIGINT runs the steps one after the other and ends the process with 0; past 9.5 s it ends with 1. */
export function stopOnSignal(steps: Step[]): void {
  tellOfFaults()
  let stopping = false
  const stop = async (signal: string) => {
    if (stopping) return
    stopping = true
    log.info({ signal }, 'stopping')
    setTimeout(() => process.exit(1), LIMIT_MS)
    for (const [name, end] of steps) {
      try {
        await end()
      } catch (error) {
        log.error({ step: name, ...describeError(error) }, 'could not be stopped cleanly')
      }
    }
    await flushSpans()
    log.info('stopped')
    process.exit(0)
  }
  process.on('SIGTERM', () => stop('SIGTERM'))
  process.on('SIGINT', () => stop('SIGINT'))
}
