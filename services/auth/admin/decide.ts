import SQL from 'sql-template-strings'
import { type Db, run, transaction } from '#platform/data/db'
import { announce } from '#platform/events/outbox'
import { Problem } from '#platform/http/problem'
import { type User, userOf } from '../accounts/model.ts'
import { type Account, lockAccounts } from '../accounts/queries.ts'
import { saveAndTell } from '../accounts/save-and-announce.ts'
import type { Needs } from '../app.ts'
import { type Action, record } from '../audit/record.ts'
import { revokeAccess } from '../sessions/end.ts'
import { voidMailTokens } from '../tokens/mail.ts'

/**
 * Lets a doctor be found and booked; the doctor is mailed. Twice does nothing more. Throws `doctor_not_found`, and `crm_taken` for a rejected one
 * whose CRM somebody else has registered since.
 */
export const approve = (needs: Needs, adminId: string, id: string, now: Temporal.Instant): Promise<User> =>
  decide(needs, { adminId, id, action: 'doctor_approved' }, now, 'doctor_not_found', async (tx, account) => {
    if (account.role !== 'doctor') throw new Problem('doctor_not_found')
    if (account.approval === 'approved') return undefined
    await run(tx, SQL`update users set approval_reason = null where id = ${id}`)
    const saved = await saveAndTell(tx, { ...account, approval: 'approved' }, now)
    await announce(tx, 'healthmed.doctor.approved.v1', id, { id })
    return saved
  })

/**
 * Keeps a doctor from being found and booked, frees the CRM, and ends the access: what is left to the person is the own account. The doctor is mailed
 * the reason, and what was booked is cancelled. Throws `doctor_not_found`.
 */
export const reject = (needs: Needs, adminId: string, id: string, reason: string, now: Temporal.Instant): Promise<User> =>
  decide(needs, { adminId, id, action: 'doctor_rejected' }, now, 'doctor_not_found', async (tx, account) => {
    if (account.role !== 'doctor') throw new Problem('doctor_not_found')
    await run(tx, SQL`update users set approval_reason = ${reason} where id = ${id}`)
    const saved = await saveAndTell(tx, { ...account, approval: 'rejected' }, now)
    await revokeAccess(tx, id, 'rejected', now)
    await announce(tx, 'healthmed.doctor.rejected.v1', id, { id, reason })
    return saved
  })

/** Shuts somebody out: every session ends, no login works, and links that were mailed change nothing. Throws `not_found`; `conflict` for oneself, so that one admin is always left. */
export const disable = (needs: Needs, adminId: string, id: string, now: Temporal.Instant): Promise<User> =>
  decide(needs, { adminId, id, action: 'user_disabled' }, now, 'not_found', async (tx, account) => {
    if (id === adminId) throw new Problem('conflict', 'You cannot disable your own account')
    if (account.disabled) return undefined
    const saved = await saveAndTell(tx, { ...account, disabled: true }, now)
    await revokeAccess(tx, id, 'disabled', now)
    await voidMailTokens(tx, id, ['verify', 'reset'], now)
    return saved
  })

/** Lets somebody in again. Throws `not_found`. */
export const enable = (needs: Needs, adminId: string, id: string, now: Temporal.Instant): Promise<User> =>
  decide(needs, { adminId, id, action: 'user_enabled' }, now, 'not_found', async (tx, account) =>
    account.disabled ? saveAndTell(tx, { ...account, disabled: false }, now) : undefined
  )

type Act = { adminId: string; id: string; action: Action }

/** Runs an admin's act on a locked account and writes it down; an act that changes nothing (undefined) leaves no trace. */
export async function decide(
  { sql, seal }: Needs,
  { adminId, id, action }: Act,
  now: Temporal.Instant,
  missing: 'doctor_not_found' | 'not_found',
  act: (tx: Db, account: Account) => Promise<Account | undefined>
): Promise<User> {
  const account = await transaction(sql, async (tx) => {
    const people = await lockAccounts(tx, [adminId, id])
    // the token may outlive the admin's rights by a second
    const admin = people.get(adminId)
    if (admin?.role !== 'admin' || admin.disabled) throw new Problem('token_revoked')
    const before = people.get(id)
    if (!before) throw new Problem(missing)
    const after = await act(tx, before)
    if (after) await record(tx, { actorId: adminId, action, subjectId: id }, now)
    return after ?? before
  })
  return userOf(account, seal)
}
