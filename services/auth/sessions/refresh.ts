import SQL from 'sql-template-strings'
import { type Db, maybeOne, one, run, transaction } from '#platform/data/db'
import type { Client } from '#platform/http/client-address'
import { Problem } from '#platform/http/problem'
import { log } from '#platform/setup/log'
import { findAccount } from '../accounts/queries.ts'
import type { Needs } from '../app.ts'
import { record } from '../audit/record.ts'
import { hasSecondStep } from '../mfa/second-step.ts'
import { readSecret } from '../tokens/secret.ts'
import { endSessions } from './end.ts'
import type { Tokens } from './model.ts'
import { fingerprintOf, tokensOf } from './open.ts'

/** So long may the same client try again, whose first answer was lost on the way. */
const GRACE_MS = 10_000

type Kept = {
  id: string
  secretHash: string
  expiresAt: Date
  usedAt: Date | null
  usedBy: string | null
  sid: string
  userId: string | null
  endedAt: Date | null
  sessionEnds: Date
}

/**
 * Exchanges a refresh token for the next pair (RFC 9700, 4.14). A second use ends the session, for either user may be a thief; only the same
 * client's retry within 10 s, while nothing came of the first answer, gets another pair of the same family.
 * Throws `token_invalid`, `token_expired`, `token_revoked`, `refresh_reused`, `account_disabled`.
 */
export async function refresh(needs: Needs, refreshToken: string, client: Client, now: Temporal.Instant): Promise<Tokens> {
  const given = readSecret(refreshToken)
  if (!given) throw new Problem('token_invalid')
  const outcome = await transaction(needs.sql, async (tx) => {
    const kept = await findToken(tx, given.id)
    if (!kept || !given.matches(kept.secretHash)) throw new Problem('token_invalid')
    if (kept.endedAt || !kept.userId) throw new Problem('token_revoked')
    if (kept.expiresAt.getTime() <= now.epochMilliseconds) throw new Problem('token_expired')
    if (kept.usedAt && !(await isRetry(tx, kept, client, now))) {
      // committed, and thrown only then
      await endForReuse(tx, kept.userId, kept.sid, now)
      return undefined
    }
    const account = await findAccount(tx, kept.userId)
    if (!account) throw new Problem('token_revoked')
    if (account.disabled) throw new Problem('account_disabled')
    await markUsed(tx, kept, client, now)
    // asked only where it matters
    const hasSecondFactor = !needs.requireMfa.includes(account.role) || (await hasSecondStep(tx, account.id))
    const place = { sid: kept.sid, parentId: kept.id, sessionEnds: kept.sessionEnds, hasSecondFactor }
    return tokensOf(tx, needs, account, place, now)
  })
  if (!outcome) throw new Problem('refresh_reused')
  return outcome
}

/** Finds a refresh token with its session locked: of two at once the second sees what the first did, since it reads after the wait. */
async function findToken(tx: Db, id: string): Promise<Kept | undefined> {
  await run(tx, SQL`select 1 from sessions where id = (select session_id from refresh_tokens where id = ${id}) for update`)
  return maybeOne<Kept>(
    tx,
    SQL`select t.id, t.secret_hash, t.expires_at, t.used_at, t.used_by, s.id as sid, s.user_id, s.ended_at, s.expires_at as session_ends
          from refresh_tokens t join sessions s on s.id = t.session_id where t.id = ${id}`
  )
}

async function isRetry(tx: Db, kept: Kept, client: Client, now: Temporal.Instant): Promise<boolean> {
  if (!kept.usedAt || kept.usedBy !== fingerprintOf(client)) return false
  if (now.epochMilliseconds - kept.usedAt.getTime() > GRACE_MS) return false
  const { led } = await one<{ led: boolean }>(
    tx,
    SQL`select exists (select 1 from refresh_tokens where parent_id = ${kept.id} and used_at is not null) as led`
  )
  return !led
}

async function endForReuse(tx: Db, userId: string, sid: string, now: Temporal.Instant) {
  await endSessions(tx, userId, 'refresh_reused', now, { only: sid })
  await record(tx, { actorId: null, action: 'refresh_reused', subjectId: userId, sessionId: sid }, now)
  log.warn({ sid }, 'a refresh token was used twice, its session is ended')
}

/** The first use counts: a retry does not begin the grace anew. */
async function markUsed(tx: Db, { id, sid }: Kept, client: Client, now: Temporal.Instant) {
  const at = new Date(now.epochMilliseconds)
  await run(tx, SQL`update refresh_tokens set used_at = ${at}, used_by = ${fingerprintOf(client)} where id = ${id} and used_at is null`)
  await run(tx, SQL`update sessions set last_used_at = ${at} where id = ${sid}`)
}
