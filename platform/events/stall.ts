/** Notices when something that should move on stands still. Time is read from `now`, in milliseconds. */
export type StallWatch = {
  /** Tells what is first in line now; undefined where nothing waits. */
  observe: (head: string | undefined) => void
  /** Whether the same thing has been first in line for the whole limit. */
  isStalled: () => boolean
}

/** So long may events or a queue stand still before a process says so: a restart of the broker takes less. */
export const STALLED_AFTER_MS = 60_000

/**
 * Makes a watch. Under load the head changes all the time, and after a restart an old event leaves at once: neither is a stall, so a state that is
 * derived from it does not flap.
 */
export function stallWatch(limitMs: number, now: () => number, head?: string): StallWatch {
  let [first, since] = [head, now()]
  return {
    observe: (current) => {
      if (current === first) return
      first = current
      since = now()
    },
    isStalled: () => first !== undefined && now() - since >= limitMs
  }
}
