import { transaction } from '#platform/db'
import { Problem } from '#platform/problem'
import type { Needs } from '../app.ts'
import { record } from '../audit/record.ts'
import { endSessions } from './end.ts'

type Who = { id: string; sid: string }

/** Ends the caller's session, or with `all` every one of the caller's. */
export const logout = ({ sql }: Needs, who: Who, now: Temporal.Instant, { all = false } = {}) =>
  transaction(sql, async (tx) => {
    await endSessions(tx, who.id, all ? 'logout_all' : 'logout', now, all ? {} : { only: who.sid })
    await record(tx, { actorId: who.id, action: all ? 'sessions_ended' : 'session_ended', sessionId: who.sid }, now)
  })

/** Ends one of the caller's open sessions. Throws `not_found` where it is none of these. */
export const endOne = ({ sql }: Needs, who: Who, sid: string, now: Temporal.Instant) =>
  transaction(sql, async (tx) => {
    const ended = await endSessions(tx, who.id, 'ended_by_person', now, { only: sid })
    if (ended.length === 0) throw new Problem('not_found')
    await record(tx, { actorId: who.id, action: 'session_ended', sessionId: sid }, now)
  })
