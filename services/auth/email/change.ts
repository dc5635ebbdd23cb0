import SQL from 'sql-template-strings'
import { maybeOne, transaction } from '#platform/data/db'
import { announce } from '#platform/events/outbox'
import type { Client } from '#platform/http/client-address'
import { Problem } from '#platform/http/problem'
import { normalEmail } from '../accounts/contact.ts'
import type { Needs } from '../app.ts'
import { attemptOn, countFailure, lockOf, tooMany } from '../attempts/throttle.ts'
import { record } from '../audit/record.ts'
import { requirePassword } from '../passwords/require-password.ts'
import { lockCaller } from '../sessions/own.ts'
import { makeMailToken, voidMailTokens } from '../tokens/mail.ts'

/**
 * Has a token sent to a new address of the caller, and a notice to the old one. The address changes when the token comes back (`verifyEmail`); only the
 * last request counts. The own address changes nothing. Throws `validation_failed`, `invalid_credentials`, `too_many_attempts`, `email_taken`,
 * `rate_limited`.
 */
export async function askToChange(
  needs: Needs,
  who: { id: string; sid: string },
  wish: { email: string; password: string },
  client: Client,
  now: Temporal.Instant
): Promise<void> {
  const email = normalEmail(wish.email)
  const known = await requirePassword(needs, 'email_change', who.id, wish.password, client, now)
  if (email === known.email) return
  await refuseTaken(needs, email, client, now)
  await transaction(needs.sql, async (tx) => {
    const { account } = await lockCaller(tx, who)
    await voidMailTokens(tx, who.id, ['change'], now)
    const token = await makeMailToken(tx, needs.seal, who.id, 'change', now, email)
    if (!token) throw new Problem('rate_limited', 'Five emails were sent in the last hour', { retryAfter: 3600 })
    const request = { ...token, email, previousEmail: account.email }
    await announce(tx, 'healthmed.user.verification_of_new_address_requested.v1', who.id, request)
    await record(tx, { actorId: who.id, action: 'email_change_requested', sessionId: who.sid }, now)
  })
}

/** Each such answer counts like one at registration, since it tells who has an account. */
async function refuseTaken({ sql, seal }: Needs, email: string, client: Client, now: Temporal.Instant): Promise<void> {
  const attempt = attemptOn(seal, 'registration', { nobody: crypto.randomUUID() }, client)
  const lock = await lockOf(sql, attempt, now)
  if (lock) throw tooMany(lock)
  if (!(await maybeOne(sql, SQL`select 1 as taken from users where email = ${email}`))) return
  await countFailure(sql, attempt, now)
  throw new Problem('email_taken')
}
