import { transaction } from '#platform/db'
import { Problem } from '#platform/problem'
import { readCpf } from '../accounts/cpf.ts'
import { readCrm } from '../accounts/crm.ts'
import { findByIdentifier, type Identifier, lockAccount, savePassword } from '../accounts/queries.ts'
import type { Needs } from '../app.ts'
import type { Client } from '../attempts/client.ts'
import { tellLockedOut } from '../attempts/locked-out.ts'
import { attemptOn, countFailure, forgive, lockOf, tooMany } from '../attempts/throttle.ts'
import { askSecondStep, hasSecondStep } from '../mfa/second-step.ts'
import type { Seal } from '../privacy/seal.ts'
import type { SecondStep, Tokens } from './model.ts'
import { openSession } from './open.ts'

/** Reads what a person typed to be known by: a CPF, a CRM, else an e-mail address. */
export function identifierOf(text: string, seal: Seal): Identifier & { normal: string } {
  const cpf = readCpf(text)
  const crm = cpf ? undefined : readCrm(text)
  const email = cpf || crm ? undefined : text.normalize('NFC').trim().toLowerCase()
  return { cpfIndex: cpf ? seal.index(cpf, 'users.cpf') : null, crm: crm ?? null, email: email ?? null, normal: cpf ?? crm ?? email ?? '' }
}

/**
 * Checks identifier and password and opens a session, or asks for the second step. An unknown person, a wrong password and a locked person take the
 * same time. Throws `invalid_credentials`, `too_many_attempts`, `overloaded`, and after a right password `account_disabled`.
 */
export async function login(
  needs: Needs,
  wish: { identifier: string; password: string },
  client: Client,
  now: Temporal.Instant
): Promise<Tokens | SecondStep> {
  const { sql, seal, passwords } = needs
  const identifier = identifierOf(wish.identifier, seal)
  const account = await findByIdentifier(sql, identifier)
  const attempt = attemptOn(seal, account?.id ?? identifier.normal, client)
  const lock = await lockOf(sql, attempt, now)
  if (lock?.by === 'address') throw tooMany(lock)
  const { right, stale } = await passwords.verify(lock ? undefined : account?.passwordHash, wish.password)
  if (lock) throw tooMany(lock)
  if (!account || !right) {
    const { locked } = await countFailure(sql, attempt, now, account && tellLockedOut(account, now))
    throw locked ? tooMany(locked) : new Problem('invalid_credentials')
  }
  const rehashed = stale ? await passwords.hash(wish.password) : undefined
  return transaction(sql, async (tx) => {
    // asked at once and answered in their order, so that what the lock waited for is seen by those after it
    const [current, late, asksCode] = await Promise.all([
      lockAccount(tx, account.id),
      lockOf(tx, attempt, now),
      hasSecondStep(tx, account.id)
    ])
    // changed while the password was checked: what was right then may be wrong now
    if (!current || current.passwordHash !== account.passwordHash) throw new Problem('invalid_credentials')
    // of many guesses at once, the right one may come after the limit was reached
    if (late) throw tooMany(late)
    if (current.disabled) throw new Problem('account_disabled')
    if (rehashed) await savePassword(tx, current.id, rehashed, new Date(now.epochMilliseconds))
    if (asksCode) return askSecondStep(tx, current.id, client, now)
    const [tokens] = await Promise.all([openSession(tx, needs, current, client, now), forgive(tx, attempt)])
    return tokens
  })
}
