import type { Sql } from '#platform/db'
import { boundOf, HORIZON_DAYS, raise, soonest } from '../slots/bound.ts'
import { busyOf } from '../slots/read.ts'
import type { Range } from '../slots/slots.ts'
import { type Candidate, candidates, type Filter, type Order, type Place, placeOf } from './candidates.ts'

/** A listed doctor and the next free slot. */
export type Found = { row: Candidate; next: Range | undefined }

const DAY_MS = 86_400_000
const FIRST_BATCH = 32
const LAST_BATCH = 1024

/**
 * Walks listed doctors in an order, batch by batch, each with the next free slot, until `enough` says so: it gets a batch, and the place that no doctor
 * yet to come is before (undefined when there are no more). Bounds that were too low are raised on the way, so that the next walk is shorter.
 */
export async function walk(
  sql: Sql,
  { filter, order, after, now }: { filter: Filter; order: Order; after?: Place | undefined; now: number },
  enough: (batch: Found[], reached: Place | undefined) => boolean
): Promise<void> {
  const span = { now: new Date(now), until: new Date(now + HORIZON_DAYS * DAY_MS) }
  const seen: string[] = []
  let place = after
  for (let size = FIRST_BATCH; ; size = Math.min(size * 2, LAST_BATCH)) {
    const batch = await candidates(sql, filter, order, { after: place, seen }, size, span)
    const found = batch.map((row) => ({ row, next: soonest(row, busyOf(row), now)[0] }))
    await raise(
      sql,
      found.map(({ row, next }) => ({ row, bound: boundOf(row, next, now) }))
    )
    if (order === 'bound') seen.push(...batch.map(({ id }) => id))
    const last = batch.at(-1)
    place = batch.length === size && last ? placeOf(order, last) : undefined
    if (enough(found, place) || !place) return
  }
}
