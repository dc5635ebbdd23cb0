import type { Db } from '#platform/db'
import { announce } from '#platform/outbox'
import { record } from '../audit/record.ts'

/** What follows the failure that locks a person: a mail and an entry in the audit trail. */
export const tellLockedOut = (account: { id: string }, now: Temporal.Instant) => async (tx: Db, until: Temporal.Instant) => {
  await announce(tx, 'healthmed.user.locked_out.v1', account.id, { id: account.id, until: until.toString() })
  await record(tx, { actorId: null, action: 'locked_out', subjectId: account.id }, now)
}
