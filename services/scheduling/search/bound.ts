import SQL from 'sql-template-strings'
import { run, type Sql } from '#platform/data/db'
import { bookedOf, busyOf, offerOf } from '../slots/read.ts'
import { freeSlots, type Range } from '../slots/slots.ts'
import { localDay } from '../slots/zone.ts'
import type { Candidate } from './candidates.ts'

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000
/** The longest booking window that a profile may have, and a day for the zones. */
export const HORIZON_DAYS = 366

/** What is known of a doctor's next free times, Unix ms: the next slot, and the bounds to keep, for it and for the one after it. */
export type Known = { next: Range | undefined; bound: number; after: number }

/** Computes them. A bound leaves holds out, which end by themselves; where there is no slot, it is the earliest that the moving window can yet bring. */
export function knownOf(row: Candidate, now: number): Known {
  const offer = offerOf(row)
  const today = localDay(offer.timezone, now)
  const first = (busy: ReturnType<typeof busyOf>, limit: number) => freeSlots(offer, busy, today, today + HORIZON_DAYS, now, limit)
  const slots = first(busyOf(row), 2)
  const [bound, after] = row.busy.some(([, , , isHold]) => isHold) ? first(bookedOf(row), 2) : slots
  const none = now + row.bookingWindowDays * DAY_MS - row.slotMinutes * MINUTE_MS
  return { next: slots[0], bound: bound?.start ?? none, after: after?.start ?? none }
}

/** Writes bounds that were found too low, where nothing was freed or changed since they were read and nobody else is at it. */
export async function raise(sql: Sql, found: { row: Candidate; known: Known }[]): Promise<void> {
  const low = found.filter(({ row, known }) => known.bound > row.bound.getTime() || row.thenAt === null)
  if (low.length === 0) return
  const texts = (times: number[]) => times.map((time) => new Date(time).toISOString())
  const ids = low.map(({ row }) => row.id)
  await run(
    sql,
    SQL`update next_free n set at = raised.at, then_at = raised.then_at, doubt_at = raised.at - make_interval(mins => raised.notice)
          from unnest(${ids}::uuid[], ${texts(low.map(({ known }) => known.bound))}::timestamptz[], ${texts(low.map(({ known }) => known.after))}::timestamptz[],
                      ${low.map(({ row }) => row.minNoticeMinutes)}::int[], ${low.map(({ row }) => row.generation)}::int[])
               as raised(id, at, then_at, notice, generation)
         where n.doctor_id in (select f.doctor_id from next_free f where f.doctor_id = any(${ids}::uuid[]) for no key update skip locked)
           and n.doctor_id = raised.id and n.generation = raised.generation and n.at <= raised.at`
  )
}

/**
 * Moves on the bounds of all whose next slot nobody may book any more, in one statement. At the full hour they may be thousands, and a search would
 * have to look at each.
 */
export const advance = (sql: Sql, now: number): Promise<number> =>
  run(
    sql,
    SQL`update next_free set at = then_at, doubt_at = then_at - (at - doubt_at), then_at = null
         where doubt_at < ${new Date(now)}::timestamptz and then_at is not null`
  )
