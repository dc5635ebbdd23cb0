import SQL, { type SQLStatement } from 'sql-template-strings'
import { type Db, one, run, type Sql, transaction } from '#platform/data/db'
import { type Client, networkOf } from '#platform/http/client-address'
import { Problem } from '#platform/http/problem'
import type { Seal } from '../privacy/seal.ts'

/**
 * Failures after which an attempt is refused: of one person from one client address, of one client address with anybody, and of one person from
 * anywhere. The last is the limit of NIST SP 800-63B-4, 3.2.2; after it only a password reset by email helps.
 */
const LIMITS = { pair: 10, address: 50, person: 100 }
const WINDOW_MINUTES = 15
const PERSON_WINDOW_HOURS = 24
/** A lock of an identifier that belongs to nobody is forgotten after this. */
const NOBODYS_LOCK_DAYS = 30

/** What is guessed at. Each has counts of its own, so that failures at one place close no other. */
export const purposes = ['login', 'second_factor', 'password_change', 'email_change', 'erasure', 'registration'] as const
/** See `purposes`. */
export type Purpose = (typeof purposes)[number]

/** What an attempt counts against: keyed hashes, so that the table names neither people nor addresses. `userId` is null where there is no such person. */
export type Attempt = { person: string; pair: string; address: string; userId: string | null }
/** Whom an attempt is on: a person, or an identifier that belongs to nobody. */
export type Target = { id: string } | { nobody: string }

/** An attempt on a target from a client. */
export function attemptOn(seal: Seal, purpose: Purpose, target: Target, client: Client): Attempt {
  const userId = 'id' in target ? target.id : null
  const person = personKey(seal, purpose, 'id' in target ? target.id : target.nobody)
  const address = seal.index(`${purpose}\0${networkOf(client.address)}`, 'attempts.address')
  return { person, pair: `${person}.${address}`, address, userId }
}

const personKey = (seal: Seal, purpose: Purpose, person: string) => seal.index(`${purpose}\0${person}`, 'attempts.person')

/** Why an attempt is not let through, and for how many seconds. `person` ends only with a password reset by email. */
export type Lock = { by: 'pair' | 'address' | 'person'; seconds: number }

// the failure by whose age a row `asked` of pair, address and `failures_since` is locked; null where there are not that many
const tooManyOfPair = SQL`(
  select at from failed_attempts where subject = asked.pair and at > asked.failures_since order by at desc offset ${LIMITS.pair - 1} limit 1)`
const tooManyOfAddress = SQL`(
  select at from failed_attempts where subject = asked.address and at > asked.failures_since order by at desc offset ${LIMITS.address - 1} limit 1)`
const lockOfPerson = SQL`(select at from attempt_locks where subject = asked.person)`

/** The condition that a row `asked` with `person`, `pair` and `address` is not locked, by failures after its `failures_since`. */
export const isFree: SQLStatement = SQL``
  .append(tooManyOfPair)
  .append(SQL` is null and `)
  .append(tooManyOfAddress)
  .append(SQL` is null and `)
  .append(lockOfPerson)
  .append(SQL` is null`)

/** Whether an attempt is locked; all replicas ask the same tables. */
export async function lockOf(db: Db, attempt: Attempt, now: Temporal.Instant): Promise<Lock | undefined> {
  const since = windowStart(now)
  const found = await one<{ pair: Date | null; address: Date | null; person: Date | null }>(
    db,
    SQL`select `
      .append(tooManyOfPair)
      .append(SQL` as pair, `)
      .append(tooManyOfAddress)
      .append(SQL` as address, `)
      .append(lockOfPerson)
      .append(SQL` as person
          from (select ${attempt.person}::text as person, ${attempt.pair}::text as pair, ${attempt.address}::text as address,
                       ${since}::timestamptz as failures_since) as asked`)
  )
  if (found.address) return { by: 'address', seconds: (found.address.getTime() - since.getTime()) / 1000 }
  if (found.person) return { by: 'person', seconds: PERSON_WINDOW_HOURS * 3600 }
  return found.pair ? { by: 'pair', seconds: (found.pair.getTime() - since.getTime()) / 1000 } : undefined
}

/** The answer to somebody who is locked. */
export const tooMany = ({ by, seconds }: Lock): Problem =>
  new Problem('too_many_attempts', by === 'person' ? 'Too many failed attempts; reset the password by email to get in again' : undefined, {
    retryAfter: seconds
  })

/**
 * Counts a failure. Attempts on one person are counted one after the other, so that of many at once no more than the limit learn anything:
 * `locked` says that this one may not. `onLocked` runs in the transaction of the failure that reaches a limit of the person.
 */
export async function countFailure(
  sql: Sql,
  attempt: Attempt,
  now: Temporal.Instant,
  onLocked: (tx: Db, lock: Lock) => Promise<void> = async () => {}
): Promise<{ locked: Lock | undefined }> {
  return transaction(sql, async (tx) => {
    await run(tx, SQL`select pg_advisory_xact_lock(hashtextextended(${attempt.person}, 7))`)
    const locked = await lockOf(tx, attempt, now)
    if (locked) return { locked }
    await write(tx, attempt, now)
    const after = await lockOf(tx, attempt, now)
    if (after && after.by !== 'address') await onLocked(tx, after)
    return { locked: undefined }
  })
}

/** The failure that is the person's hundredth of the day locks the person. */
const write = (tx: Db, { person, pair, address, userId }: Attempt, now: Temporal.Instant) =>
  run(
    tx,
    SQL`with counted as (
          insert into failed_attempts (subject, at)
          select unnest(${[person, pair, address]}::text[]), ${new Date(now.epochMilliseconds)}::timestamptz)
        insert into attempt_locks (subject, user_id, at)
        select ${person}, ${userId}::uuid, ${new Date(now.epochMilliseconds)}::timestamptz
         where exists (select from failed_attempts where subject = ${person} and at > ${dayStart(now)} offset ${LIMITS.person - 2})
        on conflict do nothing`
  )

/** Forgets the failures of a person from this client, who has proved to be that person. Those from elsewhere stay. */
export const forgive = (db: Db, { pair }: Pick<Attempt, 'pair'>) => run(db, SQL`delete from failed_attempts where subject = ${pair}`)

/** Forgets all failures of a person from anywhere and lifts every lock. */
export async function forgiveAll(db: Db, seal: Seal, userId: string): Promise<void> {
  const keys = purposes.map((purpose) => personKey(seal, purpose, userId))
  await run(
    db,
    SQL`with lifted as (delete from attempt_locks where subject = any(${keys}::text[]))
        delete from failed_attempts where split_part(subject, '.', 1) = any(${keys}::text[])`
  )
}

/** Forgets what is past its window. The lock of a person stays until a reset. */
export async function purgeFailures(db: Db, now: Temporal.Instant): Promise<void> {
  const old = new Date(now.subtract({ hours: 24 * NOBODYS_LOCK_DAYS }).epochMilliseconds)
  await run(db, SQL`delete from failed_attempts where at < ${dayStart(now)}`)
  await run(db, SQL`delete from attempt_locks where user_id is null and at < ${old}`)
}

/** Failures before this do not count for a client any more. */
export const windowStart = (now: Temporal.Instant) => new Date(now.subtract({ minutes: WINDOW_MINUTES }).epochMilliseconds)

const dayStart = (now: Temporal.Instant) => new Date(now.subtract({ hours: PERSON_WINDOW_HOURS }).epochMilliseconds)
