import SQL from 'sql-template-strings'
import { type Db, maybeOne } from '#platform/data/db'
import { Problem } from '#platform/http/problem'
import { type Account, lockAccount } from '../accounts/queries.ts'

/**
 * The account of a caller, locked, and when the caller's session was opened. Nobody ends the session or changes the account until the transaction ends.
 * Throws `token_revoked` where the session has ended already: its access token still works for up to two seconds, and must set nothing up any more.
 */
export async function lockCaller(tx: Db, who: { id: string; sid: string }): Promise<{ account: Account; openedAt: Date }> {
  const account = await lockAccount(tx, who.id)
  // asked after the lock, so that it sees what the lock waited for
  const session = await maybeOne<{ createdAt: Date }>(
    tx,
    SQL`select created_at from sessions where id = ${who.sid} and user_id = ${who.id} and ended_at is null`
  )
  if (!account || !session) throw new Problem('token_revoked')
  return { account, openedAt: session.createdAt }
}
