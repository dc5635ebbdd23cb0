import { randomBytes } from 'node:crypto'
import SQL from 'sql-template-strings'
import { maybeOne, type Sql, transaction } from '#platform/data/db'
import { Problem } from '#platform/http/problem'
import { normalEmail } from '../accounts/contact.ts'
import { lockAccount, savePassword } from '../accounts/queries.ts'
import { forgiveAll } from '../attempts/throttle.ts'
import { record } from '../audit/record.ts'
import { dropSecondFactor, tellSecondFactor } from '../mfa/remove.ts'
import type { Passwords } from '../passwords/hash.ts'
import type { Seal } from '../privacy/seal.ts'
import { revokeAccess } from '../sessions/end.ts'
import { insertAdmin } from './first.ts'

/** What somebody with a shell on the server does about admins. Both give a new password, which stands nowhere else. */
type Needs = { sql: Sql; seal: Seal; passwords: Passwords }

const newPassword = () => randomBytes(15).toString('base64url')

/** Adds an admin. Throws where the address has an account already. */
export async function addAdmin({ sql, passwords }: Needs, address: string, now: Temporal.Instant): Promise<string> {
  const email = normalEmail(address)
  const password = newPassword()
  const passwordHash = await passwords.hash(password)
  await transaction(sql, async (tx) => {
    const account = await maybeOne<{ role: string }>(tx, SQL`select role from users where email = ${email}`)
    if (account?.role === 'admin') throw new Error(`${email} is an admin already; \`reset\` gives a new password.`)
    if (account) throw new Error(`${email} is the address of a ${account.role}. An admin needs an address of their own.`)
    await insertAdmin(tx, email, passwordHash, 'admin_added', now)
  })
  return password
}

/**
 * Gives an admin a new password: every session ends and every lock is lifted. The second factor stays unless `secondFactor` says that it goes as well.
 * Throws where there is no such admin, or where the account is disabled.
 */
export async function resetAdmin(
  { sql, seal, passwords }: Needs,
  address: string,
  { secondFactor }: { secondFactor: boolean },
  now: Temporal.Instant
): Promise<string> {
  const email = normalEmail(address)
  const password = newPassword()
  const passwordHash = await passwords.hash(password)
  await transaction(sql, async (tx) => {
    const found = await maybeOne<{ id: string }>(tx, SQL`select id from users where email = ${email} and role = 'admin'`)
    const account = found && (await lockAccount(tx, found.id))
    if (!account) throw new Error(`There is no admin with the address ${email}.`)
    if (account.disabled) throw new Error(`${email} is disabled. Another admin can enable it; \`add\` makes one.`)
    await savePassword(tx, account.id, passwordHash, new Date(now.epochMilliseconds))
    await forgiveAll(tx, seal, account.id)
    await revokeAccess(tx, account.id, 'password_reset', now)
    await record(tx, { actorId: null, action: 'admin_reset', subjectId: account.id }, now)
    if (secondFactor && (await dropSecondFactor(tx, account.id))) {
      await tellSecondFactor(tx, account.id, 'reset', null)
      await record(tx, { actorId: null, action: 'mfa_reset', subjectId: account.id }, now)
    }
  })
  return password
}

/** Runs `add EMAIL` or `reset EMAIL [--second-factor]` and prints the new password, once. Gives the exit code. */
export async function manageAdmins(needs: Needs, words: string[], now: Temporal.Instant, say = console.log): Promise<number> {
  const [command, email, ...options] = words
  const isReset = command === 'reset' && options.every((option) => option === '--second-factor')
  if (!email || !(isReset || (command === 'add' && options.length === 0))) {
    say('usage: admin add EMAIL | admin reset EMAIL [--second-factor]')
    return 64
  }
  try {
    const password = isReset ? await resetAdmin(needs, email, { secondFactor: options.length > 0 }, now) : await addAdmin(needs, email, now)
    say(`${isReset ? 'New password of the admin' : 'Made the admin'} ${email}. The password is shown only here:\n\n  ${password}\n`)
    if (isReset) say('Every session has ended. Log in and change the password.')
    return 0
  } catch (error) {
    say(reasonOf(error))
    return 1
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Problem && error.errors) return error.errors.map(({ path, message }) => `${path.slice(1)} ${message}`).join(', ')
  return error instanceof Error ? error.message : String(error)
}
