/**
 * The sessions that ended while their tokens could still run, as one process knows them, and what runs here on behalf of sessions (event streams): it
 * is ended as soon as its session is known to have ended. No timers: whoever learns of ended sessions adds them.
 */
export type EndedSessions = {
  isEnded: (sid: string) => boolean
  /** Calls `end` once the session has ended, also where it has already. Gives the function that takes this back. */
  endWith: (sid: string, end: () => void) => () => void
  /** Adds a session, which is remembered until `until` (Unix ms). */
  add: (sid: string, until: number) => void
  /** Forgets the sessions whose time is over. */
  forget: (nowMs: number) => void
}

/** An empty list of ended sessions. */
export function endedSessions(): EndedSessions {
  const ended = new Map<string, number>()
  const running = new Map<string, Set<() => void>>()
  return {
    isEnded: (sid) => ended.has(sid),
    endWith: (sid, end) => {
      if (ended.has(sid)) {
        queueMicrotask(end)
        return () => {}
      }
      const own = running.get(sid) ?? new Set()
      running.set(sid, own.add(end))
      return () => {
        own.delete(end)
        if (own.size === 0 && running.get(sid) === own) running.delete(sid)
      }
    },
    add: (sid, until) => {
      ended.set(sid, until)
      const own = running.get(sid)
      if (!own) return
      running.delete(sid)
      for (const end of [...own]) end()
    },
    forget: (nowMs) => {
      for (const [sid, until] of ended) if (until < nowMs) ended.delete(sid)
    }
  }
}
