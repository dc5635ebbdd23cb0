import SQL from 'sql-template-strings'
import { rows, type Sql, transaction } from '#platform/data/db'
import { log } from '#platform/setup/log'
import { eraseAccount } from '../privacy/erase.ts'
import type { Seal } from '../privacy/seal.ts'
import type { Account } from './queries.ts'

/** An address has to be verified within this. */
export const VERIFY_WITHIN_DAYS = 7
const BATCH = 100

/**
 * Erases accounts whose address was not verified in time; gives how many. Only those are concerned that were registered while verification was required
 * (`verify_by`). A doctor whom an admin has approved stays. Any replica may, at any time: none waits for what another is at.
 */
export async function expireUnverified(sql: Sql, seal: Seal, now: Temporal.Instant, batch = BATCH): Promise<number> {
  for (let gone = 0; ; ) {
    const erased = await transaction(sql, async (tx) => {
      const due = await rows<Pick<Account, 'id' | 'role' | 'version'>>(
        tx,
        SQL`select id, role, version from users
             where verify_by <= ${new Date(now.epochMilliseconds)} and not email_verified and approval is distinct from 'approved'
             order by verify_by limit ${batch} for update skip locked`
      )
      for (const account of due) await eraseAccount(tx, seal, account, 'unverified', now)
      return due.length
    })
    gone += erased
    if (erased < batch) {
      if (gone > 0) log.info({ gone }, 'accounts whose address was not verified in time were erased')
      return gone
    }
  }
}
