import SQL from 'sql-template-strings'
import { maybeOne, transaction } from '#platform/data/db'
import { announce } from '#platform/events/outbox'
import { Problem } from '#platform/http/problem'
import { describeError, log } from '#platform/setup/log'
import { findAccount, lockAccount, savePassword } from '../accounts/queries.ts'
import { saveAndTell } from '../accounts/save-and-announce.ts'
import type { Needs } from '../app.ts'
import { forgiveAll } from '../attempts/throttle.ts'
import { record } from '../audit/record.ts'
import { voidSecondFactor } from '../email/first-proof.ts'
import { revokeAccess } from '../sessions/end.ts'
import { findMailToken, makeMailToken, useMailToken } from '../tokens/mail.ts'
import { knownOf, requireStrong } from './policy.ts'

/** Work that begins a while after its request was answered, so that neither this answer nor the next is slower for it; a process that stops waits for it. */
export type Afterwards = { later: (work: () => Promise<void>) => void; settled: () => Promise<void> }

/** See `Afterwards`; `pauseMs` says how long the while is. */
export function afterwards(pauseMs = () => 100 + Math.random() * 400): Afterwards {
  const running = new Set<Promise<void>>()
  return {
    later: (work) => {
      const job = Bun.sleep(pauseMs())
        .then(work)
        .catch((error) => log.error(describeError(error), 'work after an answer failed'))
        .finally(() => running.delete(job))
      running.add(job)
    },
    settled: async () => void (await Promise.all(running))
  }
}

/** Has a mail sent with a token that sets a new password, if there is such a person. It runs after the answer, so that its time tells nobody. */
export const forgot = ({ sql, seal, afterwards: { later } }: Needs, email: string, now: Temporal.Instant): void =>
  later(() =>
    transaction(sql, async (tx) => {
      const person = await maybeOne<{ id: string }>(
        tx,
        SQL`select id from users where email = ${email.normalize('NFC').trim().toLowerCase()} and not disabled for update`
      )
      const token = person && (await makeMailToken(tx, seal, person.id, 'reset', now))
      if (token) await announce(tx, 'healthmed.user.password_reset_requested.v1', person.id, token)
    })
  )

/**
 * Sets a new password with the token of a mail; every session ends, and failed attempts are forgotten. The token came by mail, so it proves the
 * address as well; where that is its first proof, the second factor is void. Throws `token_invalid` (400), `weak_password`, `overloaded`.
 */
export async function resetPassword(needs: Needs, { token, newPassword }: { token: string; newPassword: string }, now: Temporal.Instant) {
  const { sql, seal, passwords } = needs
  // looked at first, so that a guessed token costs no hash; used up below
  const { userId } = await transaction(sql, (tx) => findMailToken(tx, token, ['reset'], now))
  const person = await findAccount(sql, userId)
  if (!person || person.disabled) throw new Problem('mail_token_invalid')
  await requireStrong(newPassword, knownOf(person, seal))
  const passwordHash = await passwords.hash(newPassword)
  await transaction(sql, async (tx) => {
    await useMailToken(tx, token, ['reset'], now)
    const account = await lockAccount(tx, userId)
    if (!account || account.disabled) throw new Problem('mail_token_invalid')
    await savePassword(tx, userId, passwordHash, new Date(now.epochMilliseconds))
    await voidSecondFactor(tx, account, now)
    if (!account.emailVerified) await saveAndTell(tx, { ...account, emailVerified: true }, now)
    await forgiveAll(tx, seal, userId)
    await revokeAccess(tx, userId, 'password_reset', now)
    await record(tx, { actorId: userId, action: 'password_reset' }, now)
  })
}
