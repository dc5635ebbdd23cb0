import { type Db, transaction } from '#platform/data/db'
import { announce } from '#platform/events/outbox'
import { Problem } from '#platform/http/problem'
import { lockAccount } from '../accounts/queries.ts'
import { saveAndTell } from '../accounts/save-and-announce.ts'
import type { Needs } from '../app.ts'
import { record } from '../audit/record.ts'
import type { Seal } from '../privacy/seal.ts'
import { revokeAccess } from '../sessions/end.ts'
import { lockCaller } from '../sessions/own.ts'
import { makeMailToken, useMailToken, voidMailTokens } from '../tokens/mail.ts'
import { voidSecondFactor } from './first-proof.ts'

/** Has a mail sent with a token that proves the address; gives false where enough were sent in the last hour. */
export async function askToVerify(tx: Db, seal: Seal, userId: string, now: Temporal.Instant): Promise<boolean> {
  const token = await makeMailToken(tx, seal, userId, 'verify', now)
  if (token) await announce(tx, 'healthmed.user.verification_requested.v1', userId, token)
  return token !== undefined
}

/**
 * The address is the person's own: the token came back. The first proof of an address voids what was set up before it: sessions and feed, and where no
 * address of the account was proven before, the second factor. With the token of a change (`askToChange`) the account gets its new address.
 * Throws `token_invalid` (400), `email_taken`.
 */
export const verifyEmail = ({ sql }: Needs, token: string, now: Temporal.Instant) =>
  transaction(sql, async (tx) => {
    const { userId, email } = await useMailToken(tx, token, ['verify', 'change'], now)
    const account = await lockAccount(tx, userId)
    if (!account || account.disabled) throw new Problem('mail_token_invalid')
    if (email !== null || !account.emailVerified) {
      await voidSecondFactor(tx, account, now)
      await saveAndTell(tx, { ...account, email: email ?? account.email, emailVerified: true }, now)
      await revokeAccess(tx, userId, 'email_verified', now)
    }
    // what went to the old address proves nothing any more
    if (email !== null) await voidMailTokens(tx, userId, ['verify', 'reset'], now)
    await record(tx, { actorId: userId, action: email === null ? 'email_verified' : 'email_changed' }, now)
  })

/** Sends the mail again, unless the address is verified. Throws `rate_limited` after five in an hour. */
export const resend = ({ sql, seal }: Needs, who: { id: string; sid: string }, now: Temporal.Instant) =>
  transaction(sql, async (tx) => {
    const { account } = await lockCaller(tx, who)
    if (account.emailVerified) return
    if (!(await askToVerify(tx, seal, who.id, now))) {
      throw new Problem('rate_limited', 'Five mails were sent in the last hour; look into your spam folder', { retryAfter: 3600 })
    }
  })
