import type { Client } from '#platform/http/client-address'
import { Problem } from '#platform/http/problem'
import { type Account, findAccount } from '../accounts/queries.ts'
import type { Needs } from '../app.ts'
import { tellLockedOut } from '../attempts/locked-out.ts'
import { attemptOn, countFailure, lockOf, type Purpose, tooMany } from '../attempts/throttle.ts'

/** Asks a person who is logged in for the password once more; failures count for this purpose alone. Throws `invalid_credentials`, `too_many_attempts`, `overloaded`. */
export async function requirePassword(
  { sql, seal, passwords }: Needs,
  purpose: Purpose,
  userId: string,
  password: string,
  client: Client,
  now: Temporal.Instant
): Promise<Account> {
  const account = await findAccount(sql, userId)
  if (!account) throw new Problem('token_revoked')
  const attempt = attemptOn(seal, purpose, account, client)
  const lock = await lockOf(sql, attempt, now)
  if (lock) throw tooMany(lock)
  const { right } = await passwords.verify(account.passwordHash, password)
  if (right) return account
  const { locked } = await countFailure(sql, attempt, now, tellLockedOut(account, now))
  throw locked ? tooMany(locked) : new Problem('invalid_credentials')
}
