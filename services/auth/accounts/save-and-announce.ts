import type { Db } from '#platform/data/db'
import { fold } from '#platform/data/fold'
import { announce } from '#platform/events/outbox'
import { snapshotOf } from './model.ts'
import { type Account, saveAccount } from './queries.ts'

/** Stores a changed person and tells the other services of the new state. */
export async function saveAndTell(tx: Db, changed: Account, now: Temporal.Instant): Promise<Account> {
  const saved = await saveAccount(tx, { ...changed, nameFolded: fold(changed.name) }, new Date(now.epochMilliseconds))
  await announce(tx, 'healthmed.user.updated.v1', saved.id, snapshotOf(saved))
  return saved
}
