import { Problem } from '#platform/http/problem'
import type { User } from '../accounts/model.ts'
import type { Needs } from '../app.ts'
import { dropSecondFactor, tellSecondFactor } from '../mfa/remove.ts'
import { decide } from './decide.ts'

/**
 * Removes a person's lost second factor with its recovery codes; the person is mailed the reason. Where there is none nothing happens. Throws `not_found`;
 * `conflict` for the own account, where the second factor is turned off with a code.
 */
export const resetMfa = (needs: Needs, adminId: string, id: string, reason: string, now: Temporal.Instant): Promise<User> =>
  decide(needs, { adminId, id, action: 'mfa_reset' }, now, 'not_found', async (tx, account) => {
    if (id === adminId) throw new Problem('conflict', 'You cannot reset your own second factor')
    if (!(await dropSecondFactor(tx, id))) return undefined
    await tellSecondFactor(tx, id, 'reset', reason)
    return account
  })
