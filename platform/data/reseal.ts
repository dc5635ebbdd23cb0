import SQL, { type SQLStatement } from 'sql-template-strings'
import { describeError, log } from '../setup/log.ts'
import { type Db, maybeOne, one, rows, run, type Sql, transaction } from './db.ts'
import type { KeyRing } from './key-ring.ts'
import { keyIdOf } from './seal.ts'
import { openText, sealText, textKeyIdOf } from './sealed-text.ts'

/** A sealed value of a row. `read` and `write` are SQL; in `write`, `$value` stands for the new value. Both are constants of the program. */
export type SealedColumn = { read: string; write: string; context: (id: string) => string; holds: 'sealed value' | 'text' }

/** A table with sealed values. `contextId` is the SQL of the id that its contexts name, where that is not its key. */
export type SealedTable = { table: string; key: string; type: 'uuid' | 'bigint' | 'text'; contextId?: string; columns: SealedColumn[] }

/** A column that holds a sealed value or text and nothing else. */
export const sealedColumn = (name: string, holds: SealedColumn['holds'], context: (id: string) => string): SealedColumn => ({
  read: name,
  write: `${name} = $value`,
  context,
  holds
})

/** Rows that are looked at in one transaction, and those of them that are changed at most. */
const BATCH = 1_000
const CHANGES = 200
const PAUSE_MS = 500
const IDLE_MS = 60_000
/** The previous release may still write in clear while a new one is rolled out: what was finished is looked through again after a day. */
const AGAIN = { hours: 24 } as const
const FIRST = { uuid: '00000000-0000-0000-0000-000000000000', bigint: '-1', text: '' }

type Progress = { after: string; isFinished: boolean }
type Row = { id: string; contextId: string; values: (string | null)[] }

/** Where a table stands: begun anew for another key, or when it was finished long ago. Undefined while another replica works on it. */
async function progressOf(tx: Db, { table, type }: SealedTable, keyId: string, now: Temporal.Instant): Promise<Progress | undefined> {
  const again = new Date(now.subtract(AGAIN).epochMilliseconds)
  await run(tx, SQL`insert into resealing (target, key_id, after) values (${table}, ${keyId}, ${FIRST[type]}) on conflict do nothing`)
  const locked = await maybeOne<{ keyId: string; after: string; finishedAt: Date | null }>(
    tx,
    SQL`select key_id, after, finished_at from resealing where target = ${table} for update skip locked`
  )
  if (!locked) return undefined
  const isNew = locked.keyId !== keyId || (locked.finishedAt !== null && locked.finishedAt < again)
  if (!isNew) return { after: locked.after, isFinished: locked.finishedAt !== null }
  await run(tx, SQL`update resealing set key_id = ${keyId}, after = ${FIRST[type]}, finished_at = null where target = ${table}`)
  return { after: FIRST[type], isFinished: false }
}

const readBatch = (tx: Db, { table, key, type, contextId = key, columns }: SealedTable, after: string) =>
  rows<Row>(
    tx,
    SQL`select `
      .append(
        `${key}::text as id, (${contextId})::text as context_id, jsonb_build_array(${columns.map(({ read }) => read).join(', ')}) as values from ${table}`
      )
      .append(` where ${key} > `)
      .append(SQL`${after}::text`)
      .append(`::${type} order by ${key} limit ${BATCH}`)
  )

/** The value sealed with the current key; undefined where it is so already, or cannot be opened. */
function sealedAnew(ring: KeyRing, { holds, context }: SealedColumn, value: string | null, contextId: string): string | undefined {
  if (value === null || (holds === 'text' ? textKeyIdOf(value) : keyIdOf(value)) === ring.current()) return undefined
  const place = context(contextId)
  if (holds === 'text') {
    const text = openText(ring, value, place)
    return text === null ? undefined : sealText(ring, text, place)
  }
  try {
    return ring.seal(ring.open(value, place), place)
  } catch (error) {
    log.error({ context: place, ...describeError(error) }, 'a sealed value cannot be opened, it stays as it is')
    return undefined
  }
}

/** Replaces a value unless it was changed or erased meanwhile. */
async function replace(db: Db, { table, key, type }: SealedTable, column: SealedColumn, id: string, old: string, value: string) {
  const [before = '', behind = ''] = column.write.split('$value')
  await run(
    db,
    SQL`update `
      .append(`${table} set ${before}`)
      .append(SQL`${value}::text`)
      .append(`${behind} where ${key} = `)
      .append(SQL`${id}::text`)
      .append(`::${type} and ${column.read} = `)
      .append(SQL`${old}::text`)
  )
}

async function resealRow(sql: Sql, ring: KeyRing, target: SealedTable, { id, contextId, values }: Row): Promise<number> {
  let changed = 0
  for (const [index, column] of target.columns.entries()) {
    const old = values[index] ?? null
    const value = sealedAnew(ring, column, old, contextId)
    if (old === null || value === undefined) continue
    await replace(sql, target, column, id, old, value)
    changed++
  }
  return changed
}

/**
 * Seals the next few rows of a table with the current key: what an earlier release left in clear, and what another key sealed. One replica at a time.
 * Values are replaced one by one on connections of their own: no row is locked while another is waited for. True where more is to do.
 */
export const resealBatch = (sql: Sql, ring: KeyRing, target: SealedTable, now: Temporal.Instant): Promise<boolean> =>
  transaction(sql, async (tx) => {
    const progress = await progressOf(tx, target, ring.current(), now)
    if (!progress || progress.isFinished) return false
    const batch = await readBatch(tx, target, progress.after)
    let [after, changed, seen] = [progress.after, 0, 0]
    for (const row of batch) {
      if (changed >= CHANGES) break
      changed += await resealRow(sql, ring, target, row)
      after = row.id
      seen++
    }
    const isFinished = seen < BATCH && seen === batch.length
    const finishedAt = isFinished ? new Date(now.epochMilliseconds) : null
    await run(tx, SQL`update resealing set after = ${after}, finished_at = ${finishedAt}::timestamptz where target = ${target.table}`)
    return !isFinished
  })

/** Seals everything that is not sealed with the current key, a few rows at a time, for as long as the process runs. */
export function startResealing(
  sql: Sql,
  ring: KeyRing,
  targets: SealedTable[],
  clock: () => Temporal.Instant
): { stop: () => Promise<void> } {
  let stopped = false
  let wake = () => {}
  const loop = (async () => {
    while (!stopped) {
      let isMore = false
      try {
        for (const target of targets) if (!stopped && (await resealBatch(sql, ring, target, clock()))) isMore = true
      } catch (error) {
        log.warn(describeError(error), 'values could not be sealed anew, trying again')
      }
      const nap = new Promise<void>((resolve) => {
        wake = resolve
      })
      if (!stopped) await Promise.race([nap, Bun.sleep(isMore ? PAUSE_MS : IDLE_MS)])
    }
  })()
  return {
    stop: async () => {
      stopped = true
      wake()
      await loop
    }
  }
}

/** How many rows have a value that a key sealed, by table. Reads whole tables: for a shell, not for a request. */
export const countSealedWith = (sql: Sql, targets: SealedTable[], keyId: string): Promise<Record<string, number>> =>
  countWhere(sql, targets, ({ read, holds }) =>
    SQL`starts_with(`.append(`${read}, `).append(SQL`${`${holds === 'text' ? 'sealed:' : ''}${keyId}.`}::text)`)
  )

/** How many rows have a text in clear, which an earlier release stored, by table. */
export const countInClear = (sql: Sql, targets: SealedTable[]): Promise<Record<string, number>> =>
  countWhere(sql, targets, ({ read, holds }) => (holds === 'text' ? SQL``.append(`not starts_with(${read}, 'sealed:')`) : undefined))

async function countWhere(sql: Sql, targets: SealedTable[], condition: (column: SealedColumn) => SQLStatement | undefined) {
  const counts: Record<string, number> = {}
  for (const { table, columns } of targets) {
    const conditions = columns.flatMap((column) => condition(column) ?? [])
    if (conditions.length === 0) continue
    const statement = SQL`select count(*) as count from `.append(`${table} where false`)
    for (const part of conditions) statement.append(' or ').append(part)
    const { count } = await one<{ count: number }>(sql, statement)
    if (count > 0) counts[table] = count
  }
  return counts
}
