import { transaction } from '#platform/data/db'
import { Problem } from '#platform/http/problem'
import { lockAccount } from '../accounts/queries.ts'
import type { Needs } from '../app.ts'
import { record } from '../audit/record.ts'
import { endSessions, revokeAccess } from './end.ts'
import { lockCaller } from './own.ts'

type Who = { id: string; sid: string }

/** Ends the caller's session, or with `all` every one of the caller's. */
export const logout = ({ sql }: Needs, who: Who, now: Temporal.Instant, { all = false } = {}) =>
  transaction(sql, async (tx) => {
    if (all) {
      // a login that is being made is over before the sessions are ended, or comes after them
      await lockAccount(tx, who.id)
      await revokeAccess(tx, who.id, 'logout_all', now)
    } else await endSessions(tx, who.id, 'logout', now, { only: who.sid })
    await record(tx, { actorId: who.id, action: all ? 'sessions_ended' : 'session_ended', sessionId: who.sid }, now)
  })

/** Ends one of the caller's open sessions. Throws `not_found` where it is none of these. */
export const endOne = ({ sql }: Needs, who: Who, sid: string, now: Temporal.Instant) =>
  transaction(sql, async (tx) => {
    await lockCaller(tx, who)
    const ended = await endSessions(tx, who.id, 'ended_by_person', now, { only: sid })
    if (ended.length === 0) throw new Problem('not_found')
    await record(tx, { actorId: who.id, action: 'session_ended', sessionId: sid }, now)
  })
