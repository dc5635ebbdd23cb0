import { transaction } from '#platform/data/db'
import type { Client } from '#platform/http/client-address'
import { Problem } from '#platform/http/problem'
import { readCpf } from '../accounts/cpf.ts'
import { readCrm } from '../accounts/crm.ts'
import { type Account, findByIdentifier, type Identifier, lockAccount, rehash } from '../accounts/queries.ts'
import type { Needs } from '../app.ts'
import { tellLockedOut } from '../attempts/locked-out.ts'
import { attemptOn, countFailure, lockOf, tooMany } from '../attempts/throttle.ts'
import { askSecondStep, hasSecondStep } from '../mfa/second-step.ts'
import type { Seal } from '../privacy/seal.ts'
import type { SecondStep, Tokens } from './model.ts'
import { openIfProven, openSession, type Visit } from './open.ts'

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
  const found = await findByIdentifier(sql, identifier)
  const attempt = attemptOn(seal, 'login', found ?? { nobody: identifier.normal }, client)
  const lock = await lockOf(sql, attempt, now)
  if (lock?.by === 'address') throw tooMany(lock)
  const { right, stale } = await passwords.verify(lock ? undefined : found?.passwordHash, wish.password)
  if (lock) throw tooMany(lock)
  if (!found || !right) {
    const { locked } = await countFailure(sql, attempt, now, found && tellLockedOut(found, now))
    throw locked ? tooMany(locked) : new Problem('invalid_credentials')
  }
  const account = stale ? await hashedAnew(needs, found, wish.password, now) : found
  const visit = { account, client, attempt, hasSecondFactor: false, now }
  return (await openIfProven(sql, needs, visit)) ?? openAlone(needs, visit)
}

async function hashedAnew({ sql, passwords }: Needs, account: Account, password: string, now: Temporal.Instant): Promise<Account> {
  const passwordHash = await passwords.hash(password)
  await rehash(sql, account, passwordHash, new Date(now.epochMilliseconds))
  return { ...account, passwordHash }
}

/** What a right password leads to where it was not all it took: waits for whoever is changing the person, and looks at everything once more. */
const openAlone = (needs: Needs, { account, client, attempt, now }: Visit): Promise<Tokens | SecondStep> =>
  transaction(needs.sql, async (tx) => {
    // asked at once and answered in their order, so that what the lock waited for is seen by those after it
    const { id, passwordHash } = account
    const [current, late, asksCode] = await Promise.all([lockAccount(tx, id), lockOf(tx, attempt, now), hasSecondStep(tx, id)])
    // what was right then may be wrong now
    if (current?.passwordHash !== passwordHash) throw new Problem('invalid_credentials')
    if (late) throw tooMany(late)
    if (current.disabled) throw new Problem('account_disabled')
    return asksCode
      ? askSecondStep(tx, id, client, now)
      : openSession(tx, needs, { account: current, client, attempt, hasSecondFactor: false, now })
  })
