import SQL from 'sql-template-strings'
import { run, type Sql } from '#platform/db'
import type { Candidate } from '../doctors/candidates.ts'
import { bookedOf, offerOf } from './read.ts'
import { freeSlots, type Range } from './slots.ts'
import { localDay } from './zone.ts'

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000
/** The longest booking window that a profile may have, and a day for the zones. */
export const HORIZON_DAYS = 366

/** The first slots that are free from now on. */
export const soonest = (row: Candidate, busy: ReturnType<typeof bookedOf>, now: number, limit = 1): Range[] => {
  const offer = offerOf(row)
  const today = localDay(offer.timezone, now)
  return freeSlots(offer, busy, today, today + HORIZON_DAYS, now, limit)
}

/** What the bound may be raised to: the first slot, holds left out; where there is none, the earliest that the moving window can yet bring. */
export function boundOf(row: Candidate, next: Range | undefined, now: number): number {
  const first = row.busy.some(([, , , isHold]) => isHold) ? soonest(row, bookedOf(row), now)[0] : next
  return first?.start ?? now + row.bookingWindowDays * DAY_MS - row.slotMinutes * MINUTE_MS
}

/** Writes bounds that were found too low, where nothing was freed or changed since they were read and nobody else is at it. */
export async function raise(sql: Sql, found: { row: Candidate; bound: number }[]): Promise<void> {
  const low = found.filter(({ row, bound }) => bound > row.bound.getTime())
  if (low.length === 0) return
  await run(
    sql,
    SQL`update next_free n set at = raised.at
          from unnest(${low.map(({ row }) => row.id)}::uuid[], ${low.map(({ bound }) => new Date(bound).toISOString())}::timestamptz[],
                      ${low.map(({ row }) => row.generation)}::int[]) as raised(id, at, generation)
         where n.doctor_id in (select f.doctor_id from next_free f where f.doctor_id = any(${low.map(({ row }) => row.id)}::uuid[])
                                  for no key update skip locked)
           and n.doctor_id = raised.id and n.generation = raised.generation and n.at < raised.at`
  )
}
