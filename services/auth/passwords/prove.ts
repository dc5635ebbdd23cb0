import type { Client } from '#platform/client'
import { Problem } from '#platform/problem'
import { type Account, findAccount } from '../accounts/queries.ts'
import type { Needs } from '../app.ts'
import { tellLockedOut } from '../attempts/locked-out.ts'
import { attemptOn, countFailure, lockOf, tooMany } from '../attempts/throttle.ts'

/** Has somebody who is logged in give the password once more. Throws `invalid_credentials`, `too_many_attempts`, `overloaded`. */
export async function requirePassword(
  { sql, seal, passwords }: Needs,
  userId: string,
  password: string,
  client: Client,
  now: Temporal.Instant
): Promise<Account> {
  const account = await findAccount(sql, userId)
  if (!account) throw new Problem('token_revoked')
  const attempt = attemptOn(seal, userId, client)
  const lock = await lockOf(sql, attempt, now)
  if (lock) throw tooMany(lock)
  const { right } = await passwords.verify(account.passwordHash, password)
  if (right) return account
  const { locked } = await countFailure(sql, attempt, now, tellLockedOut(account, now))
  throw locked ? tooMany(locked) : new Problem('invalid_credentials')
}
