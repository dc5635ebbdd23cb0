import SQL from 'sql-template-strings'
import { type Db, rows, run, type Sql } from '#platform/data/db'
import { announce } from '#platform/events/outbox'
import { endedSessions } from '#platform/identity/ended-sessions'
import { describeError, log } from '#platform/setup/log'
import { voidMailTokens } from '../tokens/mail.ts'

/** Why a session ended. */
export type EndReason =
  | 'logout'
  | 'logout_all'
  | 'refresh_reused'
  | 'password_changed'
  | 'password_reset'
  | 'disabled'
  | 'erased'
  | 'ended_by_person'
  | 'email_verified'
  | 'rejected'

/** Ends open sessions of a person: one (`only`), all but one (`except`), or all. Gives their ids; within 2 s their tokens work nowhere. */
export async function endSessions(
  tx: Db,
  userId: string,
  reason: EndReason,
  now: Temporal.Instant,
  { only = null, except = null }: { only?: string | null; except?: string | null } = {}
): Promise<string[]> {
  const ended = await rows<{ id: string }>(
    tx,
    SQL`update sessions set ended_at = ${new Date(now.epochMilliseconds)}, end_reason = ${reason}
         where user_id = ${userId} and ended_at is null
           and (${only}::uuid is null or id = ${only}::uuid) and (${except}::uuid is null or id <> ${except}::uuid)
        returning id`
  )
  return ended.map(({ id }) => id)
}

/**
 * Ends every session of a person, voids logins that wait for their second step and changes of the address that wait for their proof, and tells the other
 * services, which void what was set up with these sessions (the calendar feed). The caller holds the lock on the person (`lockAccount`), so that no login passes in between. Erasure has its own event.
 */
export async function revokeAccess(
  tx: Db,
  userId: string,
  reason: 'logout_all' | 'password_reset' | 'disabled' | 'email_verified' | 'rejected',
  now: Temporal.Instant
): Promise<void> {
  await endSessions(tx, userId, reason, now)
  await run(tx, SQL`update mfa_tokens set used_at = ${new Date(now.epochMilliseconds)} where user_id = ${userId} and used_at is null`)
  await voidMailTokens(tx, userId, ['change'], now)
  await announce(tx, 'healthmed.user.access_revoked.v1', userId, { id: userId, reason })
}

/** The sessions that ended since an instant: what gateways and services ask for each second. */
export const endedSince = (db: Db, since: Date) =>
  rows<{ sid: string; endedAt: Date }>(db, SQL`select id as sid, ended_at from sessions where ended_at >= ${since} order by ended_at`)

/** Forgets sessions that ended or expired so long ago that no token of theirs can still run; their refresh tokens go with them. */
export const purgeSessions = (db: Db, now: Temporal.Instant) => {
  const before = new Date(now.subtract({ hours: 24 }).epochMilliseconds)
  return run(db, SQL`delete from sessions where ended_at < ${before} or expires_at < ${before}`)
}

const EVERY_MS = 1_000
/** A session that ended in a transaction that committed late is asked for again. */
const OVERLAP_MS = 15_000
const REMEMBERED_MS = 11 * 60_000

/** The ended sessions as this replica knows them, at most a second old. */
export async function followEnded(sql: Sql, clock: () => Temporal.Instant) {
  const sessions = endedSessions()
  let since = clock().epochMilliseconds - REMEMBERED_MS
  const refresh = async () => {
    const now = clock().epochMilliseconds
    for (const { sid, endedAt } of await endedSince(sql, new Date(since))) sessions.add(sid, endedAt.getTime() + REMEMBERED_MS)
    since = now - OVERLAP_MS
    sessions.forget(now)
  }
  await refresh()
  const timer = setInterval(() => refresh().catch((error) => log.warn(describeError(error), 'ended sessions could not be read')), EVERY_MS)
  return { isEnded: sessions.isEnded, refresh, stop: () => clearInterval(timer) }
}
