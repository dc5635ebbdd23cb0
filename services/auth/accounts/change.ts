import { transaction } from '#platform/data/db'
import { Problem } from '#platform/http/problem'
import { zoneOf } from '#platform/http/schema'
import type { Needs } from '../app.ts'
import { lockCaller } from '../sessions/own.ts'
import { localeOf, normalName, normalPhone } from './contact.ts'
import { sealedFor, type User, userOf } from './model.ts'
import { findAccount } from './queries.ts'
import { saveAndTell } from './save-and-announce.ts'

/** What a person may change; a phone of null is taken away. */
export type Change = { name?: string; phone?: string | null; locale?: string; timezone?: string }

/** The caller's own account. Throws `token_revoked` where it is no more. */
export async function readMe({ sql, seal }: Needs, id: string): Promise<User> {
  const account = await findAccount(sql, id)
  if (!account) throw new Problem('token_revoked')
  return userOf(account, seal)
}

/** Changes what is given of the caller's account. Throws `validation_failed`, `invalid_timezone`. */
export async function changeMe(
  { sql, seal }: Needs,
  who: { id: string; sid: string },
  change: Change,
  now: Temporal.Instant
): Promise<User> {
  const fields = {
    ...(change.name !== undefined && { name: normalName(change.name) }),
    ...(change.locale !== undefined && { locale: localeOf(change.locale) }),
    ...(change.timezone !== undefined && { timezone: zoneOf(change.timezone) }),
    ...(change.phone !== undefined && { phoneSealed: change.phone && seal.seal(normalPhone(change.phone), sealedFor(who.id, 'phone')) })
  }
  const saved = await transaction(sql, async (tx) => {
    const { account } = await lockCaller(tx, who)
    return saveAndTell(tx, { ...account, ...fields }, now)
  })
  return userOf(saved, seal)
}
