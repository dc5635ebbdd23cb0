import SQL, { type SQLStatement } from 'sql-template-strings'
import type { Client } from '#platform/client'
import { type Db, one, run, type Sql, transaction } from '#platform/db'
import { Problem } from '#platform/problem'
import type { Seal } from '../privacy/seal.ts'

const WINDOW_MINUTES = 15
/** Failures within the window after which one person, or one address, has to wait. NIST SP 800-63B-4, 3.2.2. */
const LIMITS = { person: 10, address: 50 }

/** Whom an attempt counts against: keyed hashes, so that the table names neither people nor addresses. */
export type Attempt = { person: string; address: string }

/** An attempt on a person (by id, or by the identifier where it is nobody's) from a client. */
export const attemptOn = (seal: Seal, person: string, client: Client): Attempt => ({
  person: seal.index(person, 'attempts.person'),
  address: seal.index(client.address, 'attempts.address')
})

/** Why an attempt is not let through, and for how many seconds. */
export type Lock = { by: 'person' | 'address'; seconds: number }

// the failure by whose age a row `asked` of person, address and `failures_since` is locked; null where there are not that many
const tooManyOfPerson = SQL`(
  select at from failed_attempts where subject = asked.person and at > asked.failures_since order by at desc offset ${LIMITS.person - 1} limit 1)`
const tooManyOfAddress = SQL`(
  select at from failed_attempts where subject = asked.address and at > asked.failures_since order by at desc offset ${LIMITS.address - 1} limit 1)`

/** The condition that neither `person` nor `address` of a row `asked` is locked, from failures after its `failures_since`. */
export const isFree: SQLStatement = SQL``.append(tooManyOfPerson).append(SQL` is null and `).append(tooManyOfAddress).append(SQL` is null`)

/** Whether person or address have failed too often in the last 15 minutes; all replicas ask the same table. */
export async function lockOf(db: Db, attempt: Attempt, now: Temporal.Instant): Promise<Lock | undefined> {
  const since = windowStart(now)
  const { person, address } = await one<{ person: Date | null; address: Date | null }>(
    db,
    SQL`select `
      .append(tooManyOfPerson)
      .append(SQL` as person, `)
      .append(tooManyOfAddress)
      .append(SQL` as address
          from (select ${attempt.person}::text as person, ${attempt.address}::text as address, ${since}::timestamptz as failures_since) as asked`)
  )
  const at = address ?? person
  return at ? { by: address ? 'address' : 'person', seconds: (at.getTime() - since.getTime()) / 1000 } : undefined
}

/** The answer to somebody who is locked. */
export const tooMany = ({ seconds }: Lock): Problem => new Problem('too_many_attempts', undefined, { retryAfter: seconds })

/**
 * Counts a failure. Attempts on one person are counted one after the other, so that of many at once no more than the limit learn anything:
 * `locked` says that this one may not. `onLocked` runs in the transaction of the failure that reaches the limit.
 */
export async function countFailure(
  sql: Sql,
  attempt: Attempt,
  now: Temporal.Instant,
  onLocked: (tx: Db, until: Temporal.Instant) => Promise<void> = async () => {}
): Promise<{ locked: Lock | undefined }> {
  return transaction(sql, async (tx) => {
    await run(tx, SQL`select pg_advisory_xact_lock(hashtextextended(${attempt.person}, 7))`)
    const locked = await lockOf(tx, attempt, now)
    if (locked) return { locked }
    await run(
      tx,
      SQL`insert into failed_attempts (subject, at)
          select unnest(${[attempt.person, attempt.address]}::text[]), ${new Date(now.epochMilliseconds)}::timestamptz`
    )
    const after = await lockOf(tx, attempt, now)
    if (after?.by === 'person') await onLocked(tx, now.add({ seconds: Math.ceil(after.seconds) }))
    return { locked: undefined }
  })
}

/** Forgets the failures of a person who has proved to be that person. */
export const forgive = (db: Db, { person }: Pick<Attempt, 'person'>) => run(db, SQL`delete from failed_attempts where subject = ${person}`)

/** Forgets what is past the window. */
export const purgeFailures = (db: Db, now: Temporal.Instant) => run(db, SQL`delete from failed_attempts where at < ${windowStart(now)}`)

/** Failures before this are forgotten. */
export const windowStart = (now: Temporal.Instant) => new Date(now.subtract({ minutes: WINDOW_MINUTES }).epochMilliseconds)
