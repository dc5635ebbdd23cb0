import SQL from 'sql-template-strings'
import { type Db, run, transaction } from '#platform/data/db'
import type { Client } from '#platform/http/client-address'
import { Problem } from '#platform/http/problem'
import { invalid } from '#platform/http/schema'
import { sealedFor } from '../accounts/model.ts'
import type { Needs } from '../app.ts'
import { attemptOn, countFailure, lockOf, tooMany } from '../attempts/throttle.ts'
import { record } from '../audit/record.ts'
import { requirePassword } from '../passwords/require-password.ts'
import { lockCaller } from '../sessions/own.ts'
import { newRecoveryCodes, newTotp, recoveryHash, useRecoveryCode, useTotp } from './codes.ts'
import { dropSecondFactor, tellSecondFactor } from './remove.ts'
import { hasSecondStep } from './second-step.ts'

type Who = { id: string; sid: string }

/** So long after its login a session counts as proven: the password was just given. */
const FRESH_MS = 5 * 60_000

/**
 * Begins with an authenticator: it counts only after `activate`, and a new call replaces one that is not active. It takes the password, unless the session
 * was opened with it a moment ago. Throws `validation_failed`, `invalid_credentials`, `too_many_attempts`; `conflict` where a second factor is active.
 */
export async function startTotp(needs: Needs, who: Who, password: string | undefined, client: Client, now: Temporal.Instant) {
  const { sql, seal } = needs
  if (password !== undefined) await requirePassword(needs, 'second_factor', who.id, password, client, now)
  return transaction(sql, async (tx) => {
    const { account, openedAt } = await lockCaller(tx, who)
    if (password === undefined && now.epochMilliseconds - openedAt.getTime() > FRESH_MS) {
      throw invalid('/password', 'is required: your login was more than five minutes ago')
    }
    if (await hasSecondStep(tx, who.id)) throw new Problem('conflict', 'Two-step log-in is on; turn it off first')
    const totp = newTotp(account.email)
    const sealed = seal.seal(totp.secret, sealedFor(who.id, 'totp'))
    await run(
      tx,
      SQL`insert into totp (user_id, secret_sealed, created_at) values (${who.id}, ${sealed}, ${new Date(now.epochMilliseconds)})
          on conflict (user_id) do update set secret_sealed = excluded.secret_sealed, created_at = excluded.created_at, last_step = 0`
    )
    return totp
  })
}

/** Turns two-step log-in on with the first code and gives ten recovery codes, which are shown this once. Throws `mfa_invalid`, `conflict`. */
export const activateTotp = async (needs: Needs, who: Who, code: string, client: Client, now: Temporal.Instant) => {
  const codes = await proved(needs, who.id, client, now, async (tx) => {
    await lockCaller(tx, who)
    if (await hasSecondStep(tx, who.id)) throw new Problem('conflict', 'Two-step log-in is on already')
    if (!(await useTotp(tx, needs.seal, who.id, code, now))) return undefined
    await run(tx, SQL`update totp set activated_at = ${new Date(now.epochMilliseconds)} where user_id = ${who.id}`)
    const recoveryCodes = newRecoveryCodes()
    await run(tx, SQL`delete from recovery_codes where user_id = ${who.id}`)
    await run(
      tx,
      SQL`insert into recovery_codes (user_id, code_hash)
          select ${who.id}::uuid, unnest(${recoveryCodes.map((one) => recoveryHash(who.id, one))}::text[])`
    )
    await record(tx, { actorId: who.id, action: 'mfa_activated' }, now)
    await tellSecondFactor(tx, who.id, 'activated')
    return recoveryCodes
  })
  return { recoveryCodes: codes }
}

/** Turns two-step log-in off. Throws `invalid_credentials` for a wrong password, `mfa_invalid` for a wrong code. */
export async function removeTotp(
  needs: Needs,
  who: Who,
  { password, code }: { password: string; code: string },
  client: Client,
  now: Temporal.Instant
): Promise<void> {
  await requirePassword(needs, 'second_factor', who.id, password, client, now)
  await proved(needs, who.id, client, now, async (tx) => {
    await lockCaller(tx, who)
    const right = (await useTotp(tx, needs.seal, who.id, code, now)) || (await useRecoveryCode(tx, who.id, code, now))
    if (!right) return undefined
    await dropSecondFactor(tx, who.id)
    await tellSecondFactor(tx, who.id, 'removed')
    await record(tx, { actorId: who.id, action: 'mfa_removed' }, now)
    return true
  })
}

/** Runs `work` for somebody who is not locked; where it gives nothing the code was wrong, which counts. */
async function proved<T>(
  { sql, seal }: Needs,
  userId: string,
  client: Client,
  now: Temporal.Instant,
  work: (tx: Db) => Promise<T | undefined>
): Promise<T> {
  const attempt = attemptOn(seal, 'second_factor', { id: userId }, client)
  const lock = await lockOf(sql, attempt, now)
  if (lock) throw tooMany(lock)
  const result = await transaction(sql, work)
  if (result !== undefined) return result
  const { locked } = await countFailure(sql, attempt, now)
  throw locked ? tooMany(locked) : new Problem('mfa_invalid')
}
