import SQL from 'sql-template-strings'
import type { Caller } from '#platform/caller'
import { type Db, maybeOne, run } from '#platform/db'
import { Problem } from '#platform/problem'

type Standing = { disabled: boolean; erased: boolean; revoked: boolean }

/**
 * Lets a person write until the transaction ends: an erasure waits for it and takes away what it wrote. Throws `token_revoked` for somebody who was
 * erased or disabled, though a token still runs, and for a session whose access was revoked. Who is not known yet has registered a moment ago.
 */
export async function requireActive(tx: Db, who: Pick<Caller, 'id' | 'sid'>): Promise<void> {
  // both are on their way before the first has answered, and the second sees what the lock waited for
  const [, standing] = await Promise.all([sharePerson(tx, who.id), standingOf(tx, who)])
  if (standing?.disabled || standing?.erased || standing?.revoked) throw new Problem('token_revoked')
}

/** The same lock as a calendar has (`lockCalendar`), which bookings take alone: those who write share it, an erasure takes it alone. */
const sharePerson = (tx: Db, id: string) => run(tx, SQL`select pg_advisory_xact_lock_shared(hashtextextended(${id}, 7))`)

const standingOf = (tx: Db, { id, sid }: Pick<Caller, 'id' | 'sid'>) =>
  maybeOne<Standing>(
    tx,
    SQL`select disabled, erased, coalesce(${sid}::uuid < revoked_before, false) as revoked from people where id = ${id}::uuid`
  )
