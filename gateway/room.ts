import { Problem } from '#platform/problem'

/** What takes a place while it runs: calls are short, event streams stay. */
export type Kind = 'calls' | 'streams'
/** Places for what runs at once. */
export type Room = {
  /** Takes a place, or throws `overloaded`. The result gives it back, once. */
  take: (kind: Kind) => () => void
  taken: (kind: Kind) => number
}

/** Beyond so many at once, or while the process is late with what it has, the next is refused quickly, so that those that run are not slowed down. */
export function roomFor(most: Record<Kind, number>, isLate: () => boolean = () => false): Room {
  const taken = { calls: 0, streams: 0 }
  const take = (kind: Kind) => {
    if (taken[kind] >= most[kind] || isLate()) throw new Problem('overloaded', undefined, { retryAfter: kind === 'calls' ? 1 : 10 })
    taken[kind]++
    let isTaken = true
    return () => {
      if (isTaken) taken[kind]--
      isTaken = false
    }
  }
  return { take, taken: (kind) => taken[kind] }
}
