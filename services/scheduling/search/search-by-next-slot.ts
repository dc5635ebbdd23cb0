import type { Sql } from '#platform/data/db'
import { describeError, log } from '#platform/setup/log'
import type { Range } from '../slots/slots.ts'
import { advance, HORIZON_DAYS, knownOf, raise } from './bound.ts'
import { type Candidate, candidates, type Filter, NEVER, type Order, type Place, placeOf } from './candidates.ts'

/** A listed doctor and the next free slot. */
export type Found = { row: Candidate; next: Range | undefined }

const DAY_MS = 86_400_000
const FIRST_BATCH = 32
const LAST_BATCH = 1024

/** Where and how a walk goes. By bounds, `after` is the place of a next slot: those who follow it come first, and then those without a slot. */
type Walk = { filter: Filter; order: Order; after?: Place | undefined; now: number }
/** Gets a batch, and the place that no doctor yet to come is before (undefined when there are no more); says whether that was enough. */
type Enough = (batch: Found[], reached: Place | undefined) => boolean

/**
 * Walks listed doctors in an order, batch by batch, each with the next free slot, until there are enough. Bounds that were too low are raised on the way, so
 * that the next walk is shorter.
 */
export async function walk(sql: Sql, { filter, order, after, now }: Walk, enough: Enough): Promise<void> {
  if (order === 'bound' && filter.id === undefined) await advance(sql, now)
  if (order !== 'bound' || !after) return walkPart(sql, { filter, order, after, now }, enough)
  const [start, id] = after
  let isEnough = false
  // whoever is free at all is so before the horizon; an instant before all others is as good as any
  if (Number(start) <= now + HORIZON_DAYS * DAY_MS)
    await walkPart(sql, { filter, order, after: [Math.max(0, Number(start)), id], now }, (batch, reached) => {
      isEnough = enough(batch, reached ?? FIRST_WITHOUT)
      return isEnough
    })
  // nobody without a slot is free on any dates
  if (isEnough || filter.reach) return
  await walkPart(sql, { filter, order: 'none', after: start === NEVER ? after : undefined, now }, enough)
}

/** Before the first doctor who has no free slot. */
const FIRST_WITHOUT: Place = [NEVER, '']

async function walkPart(sql: Sql, { filter, order, after, now }: Walk, enough: Enough): Promise<void> {
  const span = spanOf(now)
  const seen: string[] = []
  let place = after
  for (let size = FIRST_BATCH; ; size = Math.min(size * 2, LAST_BATCH)) {
    const batch = await candidates(sql, filter, order, { after: order === 'bound' ? after : place, seen }, size, span)
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
