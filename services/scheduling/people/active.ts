import SQL from 'sql-template-strings'
import { type Db, one, run } from '#platform/data/db'
import { Problem } from '#platform/http/problem'
import type { Caller } from '#platform/identity/caller'

type Who = Pick<Caller, 'id'>

/**
 * Lets a person write until the transaction ends: an erasure waits for it, and takes away what it wrote. Throws `token_revoked` for somebody who was
 * erased or disabled, and `forbidden` for a doctor who was rejected, though their tokens may still run. Who is not known yet has just registered.
 */
export async function requireActive(tx: Db, who: Who): Promise<void> {
  // both are on their way before the first has answered, and the second sees what the lock waited for
  await Promise.all([sharePerson(tx, who.id), checkActive(tx, who)])
}

/** The same for a transaction that has the person's calendar for itself (`lockCalendar`). It must not ask for a share of the lock that it holds alone. */
export async function checkActive(tx: Db, { id }: Who): Promise<void> {
  const { barred, rejected } = await one<{ barred: boolean; rejected: boolean }>(
    tx,
    SQL`select coalesce(p.disabled or p.erased, false) as barred, coalesce(d.approval = 'rejected', false) as rejected
          from (select ${id}::uuid as id) as who left join people p on p.id = who.id left join doctors d on d.id = who.id`
  )
  if (barred) throw new Problem('token_revoked')
  if (rejected) throw new Problem('forbidden')
}

/** The lock of `lockCalendar`, shared: those who write do not wait for each other, but for a booking of the person, and for an erasure. */
const sharePerson = (tx: Db, id: string) => run(tx, SQL`select pg_advisory_xact_lock_shared(hashtextextended(${id}, 7))`)
