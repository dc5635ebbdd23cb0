import type { Sql } from './db.ts'
import { deleteKeys, keyStates, openKeyRing, rotateKeys } from './key-ring.ts'
import { countInClear, countSealedWith, resealBatch, type SealedTable } from './reseal.ts'

const list = (counts: Record<string, number>) =>
  Object.entries(counts)
    .map(([table, count]) => `${count} rows of ${table}`)
    .join(', ')

/** The tables of a service with sealed values; `passing` are those whose rows go by themselves within a day, and are not sealed anew. */
export type Kept = { service: string; targets: SealedTable[]; passing?: SealedTable[] }

/**
 * `rotate`, `status`, `reseal` and `retire` of a service's encryption keys, from a shell. Says what was done; false where something stands in the way, or
 * the word is no command.
 */
export async function manageKeys(
  sql: Sql,
  setting: string,
  { service, targets, passing = [] }: Kept,
  command: string | undefined,
  now: Temporal.Instant,
  say: (line: string) => void
): Promise<boolean> {
  const all = [...targets, ...passing]
  const { current, old, next } = await keyStates(sql, setting, now)
  if (command === 'rotate') {
    const id = await rotateKeys(sql, setting, now)
    say(`${service}: made the key ${id}. It seals from a minute on; what the old one sealed is sealed anew in the background.`)
    return true
  }
  if (command === 'status') {
    say(`${service}: the key ${current} seals${next.length > 0 ? `, ${next.join(', ')} will` : ''}`)
    for (const id of old) say(`${service}: the key ${id} seals no more; left: ${list(await countSealedWith(sql, all, id)) || 'nothing'}`)
    say(`${service}: in clear: ${list(await countInClear(sql, all)) || 'nothing'}`)
    return true
  }
  if (command === 'reseal') {
    const ring = await openKeyRing(sql, setting, () => now)
    ring.stop()
    for (const target of targets) while (await resealBatch(sql, ring, target, now)) {}
    say(`${service}: everything is sealed with the key ${current}, but for what a running process is at work on`)
    return true
  }
  if (command !== 'retire') return false
  let isFree = true
  for (const id of old) {
    const left = list(await countSealedWith(sql, all, id))
    if (left)
      say(
        `${service}: the key ${id} is still needed: ${left}. They are sealed anew in the background; try again later. What cannot be opened is named in the log.`
      )
    else if ((await deleteKeys(sql, [id])) > 0) say(`${service}: deleted the key ${id}, which sealed nothing that is left`)
    else say(`${service}: the key ${id} is of ENCRYPTION_KEY and sealed nothing that is left; the setting still opens the newer keys.`)
    if (left) isFree = false
  }
  if (old.length === 0) say(`${service}: nothing to retire: the key ${current} is the only one that has sealed`)
  return isFree
}
