import type { Sql } from '#platform/db'
import { describeError, log } from '#platform/log'
import { advance, HORIZON_DAYS, knownOf, raise } from '../slots/bound.ts'
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
  if (order === 'bound' && filter.id === undefined) await advance(sql, now)
  const span = spanOf(now)
  const seen: string[] = []
  let place = after
  for (let size = FIRST_BATCH; ; size = Math.min(size * 2, LAST_BATCH)) {
    const batch = await candidates(sql, filter, order, { after: place, seen }, size, span)
    const found = await lookAt(sql, batch, now)
    if (order === 'bound') seen.push(...batch.map(({ id }) => id))
    const last = batch.at(-1)
    place = batch.length === size && last ? placeOf(order, last) : undefined
    if (enough(found, place) || !place) return
  }
}

const spanOf = (now: number) => ({ now: new Date(now), until: new Date(now + HORIZON_DAYS * DAY_MS) })

async function lookAt(sql: Sql, batch: Candidate[], now: number): Promise<Found[]> {
  const found = batch.map((row) => ({ row, known: knownOf(row, now) }))
  await raise(sql, found)
  return found.map(({ row, known }) => ({ row, next: known.next }))
}

const REFILL = 128

/** Learns what comes after the next slot of some doctors of whom it is not known, the soonest first. Gives their number. */
export async function learn(sql: Sql, now: number): Promise<number> {
  await advance(sql, now)
  const batch = await candidates(sql, { unknown: true }, 'bound', { after: undefined, seen: [] }, REFILL, spanOf(now))
  await lookAt(sql, batch, now)
  return batch.length
}

const EVERY_MS = 1_000
const BREATH_MS = 20

/** Keeps the bounds of the next free slots close to what they bound, so that searches find them so. Any replica may run it. Gives what stops it. */
export function startLearning(sql: Sql, clock: () => Temporal.Instant): () => Promise<void> {
  let stopped = false
  const loop = (async () => {
    while (!stopped) {
      const learned = await learn(sql, clock().epochMilliseconds).catch((error) => {
        log.error(describeError(error), 'next free slots could not be learned, it tries again')
        return 0
      })
      // a pause even in a long run: requests come first
      await Bun.sleep(learned === REFILL ? BREATH_MS : EVERY_MS)
    }
  })()
  return async () => {
    stopped = true
    await loop
  }
}
