import SQL from 'sql-template-strings'
import { batchedOn } from '#platform/data/batch'
import { type Db, maybeOne, rows, run } from '#platform/data/db'
import type { UserSnapshot } from '#platform/events/events'

/** The languages that mails are written in. */
export type Locale = 'pt-BR' | 'en'
/** Somebody whom mails go to. An erased person has neither name nor address. */
export type Person = {
  id: string
  role: 'patient' | 'doctor' | 'admin'
  name: string | null
  email: string | null
  /** Whether the address is proved; a mail to one that is not names nobody. */
  verified: boolean
  locale: Locale
  timezone: string
  crm: string | null
}

/** Keeps what a person's newest snapshot says; an older one, or one of somebody erased, changes nothing. */
export const remember = (tx: Db, user: UserSnapshot) =>
  run(
    tx,
    SQL`insert into people (id, role, name, email, verified, locale, timezone, crm, version)
        values (${user.id}, ${user.role}, ${user.name}, ${user.email}, ${user.emailVerified}, ${user.locale}, ${user.timezone}, ${user.crm}, ${user.version}::int)
        on conflict (id) do update
           set role = excluded.role, name = excluded.name, email = excluded.email, verified = excluded.verified, locale = excluded.locale,
               timezone = excluded.timezone, crm = excluded.crm, version = excluded.version
         where people.erased_at is null
           and (people.version < excluded.version or (people.version = excluded.version and people.verified <> excluded.verified))`
  )

/**
 * Finds the people that are known among `ids`, erased ones included. Who is not erased stays so until the transaction ends: an erasure waits for it, and
 * takes away what it wrote.
 */
export const findPeople = (db: Db, ids: string[]) => findTogether(db, ids)
const findTogether = batchedOn(async (db: Db, asked: string[][]): Promise<Person[][]> => {
  const ids = [...new Set(asked.flat())].sort()
  // both are on their way before the first has answered, and the second sees what the locks waited for
  const [, found] = await Promise.all([
    run(db, SQL`select pg_advisory_xact_lock_shared(hashtextextended(id, 7)) from unnest(${ids}::text[]) as id`),
    rows<Person>(db, SQL`select id, role, name, email, verified, locale, timezone, crm from people where id = any(${ids}::uuid[])`)
  ])
  const byId = new Map(found.map((person) => [person.id, person]))
  return asked.map((ids) => ids.flatMap((id) => byId.get(id) ?? []))
})

/** Waits for all who are writing something about a person (`findPeople`), and keeps others from it until the transaction ends. */
export const lockPerson = (tx: Db, id: string) => run(tx, SQL`select pg_advisory_xact_lock(hashtextextended(${id}, 7))`)

/** Takes name and address away for good and gives them back a last time; undefined where there is nobody, or nobody any more. */
export const forget = (tx: Db, id: string, version: number, now: Date) =>
  maybeOne<Person>(
    tx,
    SQL`with before as (select id, role, name, email, verified, locale, timezone, crm from people where id = ${id} and erased_at is null for update)
        update people
           set name = null, email = null, crm = null, timezone = 'Etc/UTC', version = greatest(people.version, ${version}::int), erased_at = ${now}
          from before where people.id = before.id
        returning before.id, before.role, before.name, before.email, before.verified, before.locale, before.timezone, before.crm`
  )

/** Keeps the id of somebody who was erased before their first snapshot came. */
export const neverKnown = (tx: Db, id: string, role: string, version: number, now: Date) =>
  run(
    tx,
    SQL`insert into people (id, role, locale, timezone, version, erased_at)
        values (${id}, ${role}, 'pt-BR', 'Etc/UTC', ${version}::int, ${now}) on conflict do nothing`
  )

/** Wakes events that wait for this person to become known. */
export const wakeWaiting = (tx: Db) =>
  run(tx, SQL`update inbox set next_try_at = least(next_try_at, now()) where done_at is null and last_error = ${NOT_KNOWN_YET}`)

/** Why an event waits whose recipient no `user.*` event has told of yet. */
export const NOT_KNOWN_YET = 'the person is not known yet'
