import { Problem } from '#platform/http/problem'

/** What takes a place while it runs: calls are short, event streams stay. */
export type Kind = 'calls' | 'streams'
/** Places for what runs at once: of each kind, and of event streams for one caller. */
export type Places = Record<Kind | 'streamsOfOne', number>
/** Those that are taken. */
export type Room = {
  /** Takes a place; for an event stream it is one of those of the caller. Throws `overloaded`, and `rate_limited` where the caller has all of theirs. The result gives it back, once. */
  take: (kind: Kind, caller?: string) => () => void
  taken: (kind: Kind) => number
}

/** Beyond so many at once, or while the process is late with what it has, the next is refused quickly, so that those that run are not slowed down. */
export function roomFor({ calls, streams, streamsOfOne }: Places, isLate: () => boolean = () => false): Room {
  const most = { calls, streams }
  const taken = { calls: 0, streams: 0 }
  const streamsOf = new Map<string, number>()
  const takeOfOne = (caller: string) => {
    const count = streamsOf.get(caller) ?? 0
    if (count >= streamsOfOne) throw new Problem('rate_limited', 'You have too many event streams open', { retryAfter: 10 })
    streamsOf.set(caller, count + 1)
  }
  const giveOfOne = (caller: string) => {
    const count = (streamsOf.get(caller) ?? 1) - 1
    if (count > 0) streamsOf.set(caller, count)
    else streamsOf.delete(caller)
  }
  const take = (kind: Kind, caller?: string) => {
    if (taken[kind] >= most[kind] || isLate()) throw new Problem('overloaded', undefined, { retryAfter: kind === 'calls' ? 1 : 10 })
    const own = kind === 'streams' ? caller : undefined
    if (own) takeOfOne(own)
    taken[kind]++
    let isTaken = true
    return () => {
      if (!isTaken) return
      isTaken = false
      taken[kind]--
      if (own) giveOfOne(own)
    }
  }
  return { take, taken: (kind) => taken[kind] }
}
