import type { Db } from '#platform/data/db'
import type { Account } from '../accounts/queries.ts'
import { record } from '../audit/record.ts'
import { dropSecondFactor, tellSecondFactor } from '../mfa/remove.ts'

/**
 * Voids the second factor of an account whose address was never proven before. Until then anybody may have registered it: what that person has set up
 * must not outlive the moment in which the owner of the mailbox turns up. The caller holds the lock on the account, and ends sessions and feed
 * (`revokeAccess`).
 */
export async function voidSecondFactor(tx: Db, { id, emailVerified }: Account, now: Temporal.Instant): Promise<void> {
  if (emailVerified || !(await dropSecondFactor(tx, id))) return
  await tellSecondFactor(tx, id, 'voided')
  await record(tx, { actorId: null, action: 'mfa_voided', subjectId: id }, now)
}
