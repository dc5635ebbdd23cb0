import SQL from 'sql-template-strings'
import { one, run, type Sql } from '#platform/data/db'
import { describeError, log } from '#platform/setup/log'
import { expireUnverified } from '../accounts/expire.ts'
import { purgeFailures } from '../attempts/throttle.ts'
import { purgeSessions } from '../sessions/end.ts'
import type { Seal } from './seal.ts'

/** How long auth keeps what is kept for a time. */
export type Retention = { auditDays: number }

const EVERY_MS = 10 * 60_000

/** Forgets what is of no more use: ended sessions, tokens past their time, old failures, accounts whose address was not verified in time. Any replica may, at any time. */
export function startPurging(sql: Sql, seal: Seal, clock: () => Temporal.Instant, retention: Retention) {
  const work = async () => {
    await purge(sql, clock(), retention)
    await expireUnverified(sql, seal, clock())
  }
  const timer = setInterval(() => work().catch((error) => log.warn(describeError(error), 'purging failed')), EVERY_MS)
  return { stop: () => clearInterval(timer) }
}

/** See `startPurging`. */
export async function purge(sql: Sql, now: Temporal.Instant, { auditDays }: Retention): Promise<void> {
  const dayAgo = new Date(now.subtract({ hours: 24 }).epochMilliseconds)
  await purgeSessions(sql, now)
  await purgeFailures(sql, now)
  await run(sql, SQL`delete from refresh_tokens where expires_at < ${dayAgo}`)
  await run(sql, SQL`delete from mail_tokens where expires_at < ${dayAgo}`)
  await run(sql, SQL`delete from mfa_tokens where expires_at < ${dayAgo}`)
  await purgeAudit(sql, new Date(now.subtract({ hours: auditDays * 24 }).epochMilliseconds))
}

/** The service may not delete from the audit trail: this function of its owner does, what is old, in small batches. */
async function purgeAudit(sql: Sql, before: Date): Promise<void> {
  let deleted = 1
  while (deleted > 0) deleted = (await one<{ deleted: number }>(sql, SQL`select forget_audit(${before}::timestamptz) as deleted`)).deleted
}
