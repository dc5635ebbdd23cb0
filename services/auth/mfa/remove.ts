import SQL from 'sql-template-strings'
import { type Db, rows, run } from '#platform/data/db'
import { announce } from '#platform/events/outbox'

/** How a second factor came or went: by the person, by an admin, or with the first proof of the email address. */
export type Change = 'activated' | 'removed' | 'reset' | 'voided'

/** Has the person mailed about a change of the second factor. */
export const tellSecondFactor = (tx: Db, userId: string, change: Change, reason: string | null = null) =>
  announce(tx, 'healthmed.user.second_factor_changed.v1', userId, { id: userId, change, reason })

/** Takes a person's second factor and recovery codes away, also one that is not active yet. Gives whether one was active. */
export async function dropSecondFactor(tx: Db, userId: string): Promise<boolean> {
  const dropped = await rows<{ isActive: boolean }>(
    tx,
    SQL`delete from totp where user_id = ${userId} returning activated_at is not null as is_active`
  )
  await run(tx, SQL`delete from recovery_codes where user_id = ${userId}`)
  return dropped.some(({ isActive }) => isActive)
}
