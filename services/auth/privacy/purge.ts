import SQL from 'sql-template-strings'
import { run, type Sql } from '#platform/db'
import { describeError, log } from '#platform/log'
import { purgeFailures } from '../attempts/throttle.ts'
import { purgeSessions } from '../sessions/end.ts'

const EVERY_MS = 10 * 60_000

/** Forgets what is of no more use: ended sessions, tokens past their time, old failures. Any replica may, at any time. */
export function startPurging(sql: Sql, clock: () => Temporal.Instant) {
  const timer = setInterval(() => purge(sql, clock()).catch((error) => log.warn(describeError(error), 'purging failed')), EVERY_MS)
  return { stop: () => clearInterval(timer) }
}

/** See `startPurging`. */
export async function purge(sql: Sql, now: Temporal.Instant): Promise<void> {
  const dayAgo = new Date(now.subtract({ hours: 24 }).epochMilliseconds)
  await purgeSessions(sql, now)
  await purgeFailures(sql, now)
  await run(sql, SQL`delete from refresh_tokens where expires_at < ${dayAgo}`)
  await run(sql, SQL`delete from mail_tokens where expires_at < ${dayAgo}`)
  await run(sql, SQL`delete from mfa_tokens where expires_at < ${dayAgo}`)
}
