import { randomBytes } from 'node:crypto'
import SQL from 'sql-template-strings'
import { describeError, log } from '../setup/log.ts'
import { type Db, rows, run, type Sql, transaction } from './db.ts'
import { type Key, keyOf, keysOf, type Seal, sealOfSetting, sealWith } from './seal.ts'

/*
 * The encryption keys of a service. ENCRYPTION_KEY seals values until the keys are first rotated; from then on keys of this table do, each of which is
 * itself sealed with ENCRYPTION_KEY. So a rotation needs no restart, and a backup of any time opens with ENCRYPTION_KEY alone. A schema that keeps
 * sealed values has these tables:
 *
 *   create table encryption_keys (
 *     id text primary key,
 *     sealed text not null,
 *     created_at timestamptz(3) not null,
 *     seals_from timestamptz(3) not null
 *   );
 *   create table resealing (
 *     target text primary key,
 *     key_id text not null,
 *     after text not null,
 *     finished_at timestamptz(3)
 *   );
 */

/** A new key seals only when every replica knows it: they look every 15 s. */
const OVERLAP = { minutes: 1 } as const
const REFRESH_MS = 15_000

type Row = { id: string; sealed: string; sealsFrom: Date }
type Entry = Key & { sealsFrom: number }

/** The keys of all replicas. */
export type KeyRing = Seal & {
  /** The id of the key that seals now. */
  current: () => string
  refresh: () => Promise<void>
  stop: () => void
}

/** Opens the keys of a service's schema. `setting` is ENCRYPTION_KEY: a comma list, of which the first seals and all open. */
export async function openKeyRing(sql: Sql, setting: string, clock: () => Temporal.Instant): Promise<KeyRing> {
  const given = keysOf(setting)
  const master = sealOfSetting(setting)
  let kept: Entry[] = []
  const refresh = async () => {
    kept = (await keysIn(sql)).map((row) => kept.find(({ id }) => id === row.id) ?? entryOf(row, master))
  }
  await refresh()
  const timer = setInterval(
    () => refresh().catch((error) => log.warn(describeError(error), 'the encryption keys could not be read again')),
    REFRESH_MS
  )
  const current = () => kept.findLast(({ sealsFrom }) => sealsFrom <= clock().epochMilliseconds) ?? (given[0] as Key)
  const seal = sealWith(current, (id) => kept.find((key) => key.id === id) ?? given.find((key) => key.id === id))
  return { ...seal, current: () => current().id, refresh, stop: () => clearInterval(timer) }
}

const contextOf = (id: string) => `encryption_keys.${id}`
const keysIn = (db: Db) => rows<Row>(db, SQL`select id, sealed, seals_from from encryption_keys order by seals_from, id`)
const entryOf = ({ id, sealed, sealsFrom }: Row, master: Seal): Entry => ({
  ...keyOf(master.open(sealed, contextOf(id))),
  sealsFrom: sealsFrom.getTime()
})

/**
 * Adds a key that seals from a minute on; the ones before go on opening what they sealed. Keys that an earlier ENCRYPTION_KEY sealed are sealed with the
 * first of the setting, so that the earlier one can be taken out of it. Gives the new key's id.
 */
export const rotateKeys = (sql: Sql, setting: string, now: Temporal.Instant): Promise<string> =>
  transaction(sql, async (tx) => {
    await lockKeys(tx)
    const master = sealOfSetting(setting)
    for (const { id, sealed } of await keysIn(tx)) {
      const again = master.seal(master.open(sealed, contextOf(id)), contextOf(id))
      await run(tx, SQL`update encryption_keys set sealed = ${again} where id = ${id}`)
    }
    const hex = randomBytes(32).toString('hex')
    const { id } = keyOf(hex)
    const sealsFrom = new Date(now.add(OVERLAP).epochMilliseconds)
    await run(
      tx,
      SQL`insert into encryption_keys (id, sealed, created_at, seals_from)
          values (${id}, ${master.seal(hex, contextOf(id))}, ${new Date(now.epochMilliseconds)}, ${sealsFrom})`
    )
    return id
  })

/** Where the keys stand: the one that seals now, those that seal no more, and those that will. */
export async function keyStates(
  sql: Sql,
  setting: string,
  now: Temporal.Instant
): Promise<{ current: string; old: string[]; next: string[] }> {
  const kept = await keysIn(sql)
  const given = keysOf(setting).map(({ id }) => id)
  const started = kept.filter(({ sealsFrom }) => sealsFrom.getTime() <= now.epochMilliseconds).map(({ id }) => id)
  const [current = '', ...old] = [...given.toReversed(), ...started].toReversed()
  return { current, old, next: kept.map(({ id }) => id).filter((id) => !started.includes(id)) }
}

/** Deletes keys that seal no more; the caller has made sure that they sealed nothing that is left. */
export const deleteKeys = (sql: Sql, ids: string[]) =>
  transaction(sql, async (tx) => {
    await lockKeys(tx)
    return run(tx, SQL`delete from encryption_keys where id = any(${ids}::text[])`)
  })

const lockKeys = (tx: Db) => run(tx, SQL`select pg_advisory_xact_lock(hashtext('encryption keys of ' || current_schema))`)
