/** Watches how late the event loop comes to what is due. */
export type LagWatch = { isLate: () => boolean; stop: () => void }

const EVERY_MS = 50
/** So many late looks in a row: a process that was merely paused for a moment refuses nobody. */
const IN_A_ROW = 3

/** `isLate` is true while the loop has been more than `mostMs` behind for a while: then there is more work than one core can do, and waiting makes it worse. */
export function lagWatch(mostMs: number, nowMs: () => number = () => performance.now(), every = setInterval): LagWatch {
  let due = nowMs() + EVERY_MS
  let late = 0
  const timer = every(() => {
    const now = nowMs()
    late = now - due > mostMs ? late + 1 : 0
    due = now + EVERY_MS
  }, EVERY_MS)
  timer.unref?.()
  return { isLate: () => late >= IN_A_ROW, stop: () => clearInterval(timer) }
}
