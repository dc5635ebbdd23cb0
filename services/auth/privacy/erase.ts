import SQL from 'sql-template-strings'
import { type Db, run, transaction } from '#platform/data/db'
import { announce } from '#platform/events/outbox'
import type { Client } from '#platform/http/client-address'
import { Problem } from '#platform/http/problem'
import type { Account } from '../accounts/queries.ts'
import type { Needs } from '../app.ts'
import { forgiveAll } from '../attempts/throttle.ts'
import { record } from '../audit/record.ts'
import { requirePassword } from '../passwords/require-password.ts'
import { endSessions } from '../sessions/end.ts'
import { lockCaller } from '../sessions/own.ts'
import type { Seal } from './seal.ts'

/**
 * Erases the caller (LGPD art. 18, VI): the account goes at once, and an event has every service forget; future appointments are cancelled there.
 * Throws `invalid_credentials`, `too_many_attempts`; `conflict` for the last admin who could let anybody in.
 */
export async function eraseMe(
  needs: Needs,
  who: { id: string; sid: string },
  password: string,
  client: Client,
  now: Temporal.Instant
): Promise<void> {
  await requirePassword(needs, 'erasure', who.id, password, client, now)
  await transaction(needs.sql, async (tx) => {
    // of two admins who leave at once one stays
    await run(tx, SQL`select pg_advisory_xact_lock(hashtext('auth last admin'))`)
    const { account } = await lockCaller(tx, who)
    if (account.role === 'admin') await refuseLastAdmin(tx, who.id)
    await eraseAccount(tx, needs.seal, account, 'own_wish', now)
  })
}

/** Erases an account that is locked, and has every service forget the person: at the own wish, or because the address was never verified. */
export async function eraseAccount(
  tx: Db,
  seal: Seal,
  { id, role, version }: Pick<Account, 'id' | 'role' | 'version'>,
  cause: 'own_wish' | 'unverified',
  now: Temporal.Instant
): Promise<void> {
  await endSessions(tx, id, 'erased', now)
  await run(tx, SQL`update sessions set user_agent = null where user_id = ${id}`)
  await forgiveAll(tx, seal, id)
  await run(tx, SQL`delete from users where id = ${id}`)
  // what was not sent yet names the person too
  await run(tx, SQL`delete from outbox where subject = ${id}`)
  const expired = cause === 'unverified'
  await announce(tx, 'healthmed.user.erased.v1', id, { id, role, version: version + 1, ...(expired && { reason: cause }) })
  await record(tx, expired ? { actorId: null, action: 'user_expired', subjectId: id } : { actorId: id, action: 'user_erased' }, now)
}

async function refuseLastAdmin(tx: Parameters<typeof run>[0], id: string) {
  const others = await run(tx, SQL`select 1 from users where role = 'admin' and not disabled and id <> ${id} limit 1`)
  if (others === 0) throw new Problem('conflict', 'You are the last admin; make another one first')
}
