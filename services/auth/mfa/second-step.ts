import SQL from 'sql-template-strings'
import { type Db, maybeOne, run, transaction } from '#platform/data/db'
import type { Client } from '#platform/http/client-address'
import { Problem } from '#platform/http/problem'
import { lockAccount } from '../accounts/queries.ts'
import type { Needs } from '../app.ts'
import { tellLockedOut } from '../attempts/locked-out.ts'
import { attemptOn, countFailure, lockOf, tooMany } from '../attempts/throttle.ts'
import { record } from '../audit/record.ts'
import type { SecondStep, Tokens } from '../sessions/model.ts'
import { openSession } from '../sessions/open.ts'
import { makeSecret, readSecret } from '../tokens/secret.ts'
import { useRecoveryCode, useTotp } from './codes.ts'

/** The code must follow the password within this. */
const MINUTES = 5

/** Whether a person has an activated authenticator. */
export const hasSecondStep = async (db: Db, userId: string): Promise<boolean> =>
  (await maybeOne(db, SQL`select 1 as yes from totp where user_id = ${userId} and activated_at is not null`)) !== undefined

/** The password was right: gives the token that the second step goes on from. */
export async function askSecondStep(tx: Db, userId: string, client: Client, now: Temporal.Instant): Promise<SecondStep> {
  const { id, token, hash } = makeSecret()
  await run(
    tx,
    SQL`insert into mfa_tokens (id, user_id, secret_hash, user_agent, created_at, expires_at)
        values (${id}, ${userId}, ${hash}, ${client.userAgent}, ${new Date(now.epochMilliseconds)},
                ${new Date(now.add({ minutes: MINUTES }).epochMilliseconds)})`
  )
  return { mfaRequired: true, mfaToken: token }
}

/**
 * The second step of a log-in: a TOTP code, or a recovery code, each good once. A failure counts like a wrong password.
 * Throws `mfa_invalid`, `too_many_attempts`, `account_disabled`.
 */
export async function finishLogin(
  needs: Needs,
  { mfaToken, code }: { mfaToken: string; code: string },
  client: Client,
  now: Temporal.Instant
): Promise<Tokens> {
  const { sql, seal } = needs
  const userId = await ownerOf(sql, mfaToken, now)
  if (!userId) {
    const { locked } = await countFailure(sql, attemptOn(seal, 'second_factor', { nobody: crypto.randomUUID() }, client), now)
    throw locked ? tooMany(locked) : new Problem('mfa_invalid')
  }
  const attempt = attemptOn(seal, 'second_factor', { id: userId }, client)
  const tokens = await transaction(sql, async (tx) => {
    const account = await lockAccount(tx, userId)
    const lock = await lockOf(tx, attempt, now)
    if (lock) throw tooMany(lock)
    if (account?.disabled) throw new Problem('account_disabled')
    if (!account || !(await takeToken(tx, mfaToken, now))) return undefined
    if (!(await useTotp(tx, seal, userId, code, now))) {
      if (!(await useRecoveryCode(tx, userId, code, now))) return undefined
      await record(tx, { actorId: userId, action: 'recovery_code_used' }, now)
    }
    await closeToken(tx, mfaToken, now)
    return openSession(tx, needs, { account, client, attempt, hasSecondFactor: true, now })
  })
  if (tokens) return tokens
  const { locked } = await countFailure(sql, attempt, now, tellLockedOut({ id: userId }, now))
  throw locked ? tooMany(locked) : new Problem('mfa_invalid')
}

async function ownerOf(db: Db, mfaToken: string, now: Temporal.Instant): Promise<string | undefined> {
  const given = readSecret(mfaToken)
  if (!given) return undefined
  const kept = await maybeOne<{ userId: string; secretHash: string }>(
    db,
    SQL`select user_id, secret_hash from mfa_tokens where id = ${given.id} and used_at is null and expires_at > ${new Date(now.epochMilliseconds)}`
  )
  return kept && given.matches(kept.secretHash) ? kept.userId : undefined
}

/** Locks the token, so that two codes tried at once come one after the other. */
const takeToken = async (tx: Db, mfaToken: string, now: Temporal.Instant) =>
  (await maybeOne(
    tx,
    SQL`select 1 as yes from mfa_tokens
         where id = ${readSecret(mfaToken)?.id ?? null}::uuid and used_at is null and expires_at > ${new Date(now.epochMilliseconds)} for update`
  )) !== undefined

const closeToken = (tx: Db, mfaToken: string, now: Temporal.Instant) =>
  run(tx, SQL`update mfa_tokens set used_at = ${new Date(now.epochMilliseconds)} where id = ${readSecret(mfaToken)?.id ?? null}::uuid`)
