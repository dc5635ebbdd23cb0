import { transaction } from '#platform/data/db'
import type { Client } from '#platform/http/client-address'
import { Problem } from '#platform/http/problem'
import { savePassword } from '../accounts/queries.ts'
import type { Needs } from '../app.ts'
import { attemptOn, forgive } from '../attempts/throttle.ts'
import { record } from '../audit/record.ts'
import { endSessions } from '../sessions/end.ts'
import { lockCaller } from '../sessions/own.ts'
import { voidMailTokens } from '../tokens/mail.ts'
import { knownOf, requireStrong } from './policy.ts'
import { requirePassword } from './require-password.ts'

type Wish = { currentPassword: string; newPassword: string }

/** Sets another password and ends every other session. Throws `invalid_credentials`, `weak_password`, `too_many_attempts`, `overloaded`. */
export async function changePassword(
  needs: Needs,
  who: { id: string; sid: string },
  wish: Wish,
  client: Client,
  now: Temporal.Instant
): Promise<void> {
  const account = await requirePassword(needs, 'password_change', who.id, wish.currentPassword, client, now)
  await requireStrong(wish.newPassword, knownOf(account, needs.seal))
  const passwordHash = await needs.passwords.hash(wish.newPassword)
  await transaction(needs.sql, async (tx) => {
    const { account: current } = await lockCaller(tx, who)
    if (current.passwordHash !== account.passwordHash) throw new Problem('invalid_credentials')
    await savePassword(tx, who.id, passwordHash, new Date(now.epochMilliseconds))
    await voidMailTokens(tx, who.id, ['reset', 'change'], now)
    await forgive(tx, attemptOn(needs.seal, 'password_change', who, client))
    await endSessions(tx, who.id, 'password_changed', now, { except: who.sid })
    await record(tx, { actorId: who.id, action: 'password_changed', sessionId: who.sid }, now)
  })
}
