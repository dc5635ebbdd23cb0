import SQL from 'sql-template-strings'
import { type Db, maybeOne, one, run } from '#platform/data/db'
import { Problem } from '#platform/http/problem'
import type { Seal } from '../privacy/seal.ts'
import { makeSecret, readSecret } from './secret.ts'

/** What a token that goes out by mail is for: to prove the address of an account, to set a new password, to prove a new address. */
export type Purpose = 'verify' | 'reset' | 'change'
/** Whose a token is, and for `change` the address that it went to. */
export type MailToken = { userId: string; email: string | null }

const LIFETIME = { verify: { hours: 24 }, reset: { minutes: 30 }, change: { hours: 24 } } as const
/** Nobody is sent more of one kind than this in an hour. */
const PER_HOUR = 5

/** Makes a single-use token, sealed for the notifier; undefined where the person was sent enough of them in the last hour. */
export async function makeMailToken(
  tx: Db,
  seal: Seal,
  userId: string,
  purpose: Purpose,
  now: Temporal.Instant,
  email: string | null = null
) {
  const since = new Date(now.subtract({ hours: 1 }).epochMilliseconds)
  const { sent } = await one<{ sent: number }>(
    tx,
    SQL`select count(*) as sent from mail_tokens where user_id = ${userId} and purpose = ${purpose} and created_at > ${since}`
  )
  if (sent >= PER_HOUR) return undefined
  const { id, token, hash } = makeSecret()
  const expiresAt = now.add(LIFETIME[purpose])
  await run(
    tx,
    SQL`insert into mail_tokens (id, user_id, purpose, secret_hash, email, created_at, expires_at)
        values (${id}, ${userId}, ${purpose}, ${hash}, ${email}, ${new Date(now.epochMilliseconds)}, ${new Date(expiresAt.epochMilliseconds)})`
  )
  return { id: userId, sealedToken: seal.sealToken(token, userId), expiresAt: expiresAt.toString() }
}

/** Uses a token up, with every other of its kind that the person was sent, and tells whose it is. Throws `token_invalid` (400). */
export async function useMailToken(tx: Db, text: string, purposes: Purpose[], now: Temporal.Instant): Promise<MailToken> {
  const { purpose, ...token } = await findMailToken(tx, text, purposes, now)
  await voidMailTokens(tx, token.userId, [purpose], now)
  return token
}

/** Makes every token of these kinds that the person was sent useless. */
export const voidMailTokens = (tx: Db, userId: string, purposes: Purpose[], now: Temporal.Instant) =>
  run(
    tx,
    SQL`update mail_tokens set used_at = ${new Date(now.epochMilliseconds)}
         where user_id = ${userId} and purpose = any(${purposes}::text[]) and used_at is null`
  )

/** Tells whose a token is that can still be used; nobody else uses it until the transaction ends. Throws `token_invalid` (400). */
export async function findMailToken(
  db: Db,
  text: string,
  purposes: Purpose[],
  now: Temporal.Instant
): Promise<MailToken & { purpose: Purpose }> {
  const given = readSecret(text)
  const kept =
    given &&
    (await maybeOne<MailToken & { purpose: Purpose; secretHash: string }>(
      db,
      SQL`select user_id, purpose, email, secret_hash from mail_tokens
           where id = ${given.id} and purpose = any(${purposes}::text[]) and used_at is null
             and expires_at > ${new Date(now.epochMilliseconds)} for update`
    ))
  if (!given || !kept || !given.matches(kept.secretHash)) throw new Problem('mail_token_invalid')
  const { userId, purpose, email } = kept
  return { userId, purpose, email }
}
