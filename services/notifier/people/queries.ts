import SQL from 'sql-template-strings'
import { batchedOn } from '#platform/batch'
import { type Db, maybeOne, rows, run } from '#platform/db'
import type { UserSnapshot } from '#platform/events'

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

/** Finds the people that are known among `ids`, erased ones included. */
export const findPeople = (db: Db, ids: string[]) => findTogether(db, ids)
const findTogether = batchedOn(async (db: Db, asked: string[][]): Promise<Person[][]> => {
  const found = await rows<Person>(
    db,
    SQL`select id, role, name, email, verified, locale, timezone, crm from people where id = any(${[...new Set(asked.flat())]}::uuid[])`
  )
  const byId = new Map(found.map((person) => [person.id, person]))
  return asked.map((ids) => ids.flatMap((id) => byId.get(id) ?? []))
})

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

/** Takes away what stands about a person among the messages that could not be processed. */
export const dropDeadLettersAbout = (tx: Db, id: string) =>
  run(tx, SQL`delete from dead_letters where type like 'healthmed.user.%' and position(convert_to(${id}, 'UTF8') in content) > 0`)

/** Wakes events that wait for this person to become known. */
export const wakeWaiting = (tx: Db) =>
  run(tx, SQL`update inbox set next_try_at = least(next_try_at, now()) where done_at is null and last_error = ${NOT_KNOWN_YET}`)

/** Why an event waits whose recipient no `user.*` event has told of yet. */
export const NOT_KNOWN_YET = 'the person is not known yet'
