import type { Sql } from '#platform/data/db'
import { cursorsOf } from '#platform/http/cursor'
import { Problem } from '#platform/http/problem'
import { dateOf } from '#platform/http/schema'
import type { Doctor } from '../doctors/model.ts'
import { checkDates, type Dates, textOf } from '../slots/list.ts'
import { busyOf, offerOf } from '../slots/read.ts'
import { freeSlots, type Range } from '../slots/slots.ts'
import { dayOf, localDay } from '../slots/zone.ts'
import { HORIZON_DAYS } from './bound.ts'
import { type Candidate, type Filter, NEVER, type Place } from './candidates.ts'
import { isOutOfReach, reachOf } from './reach.ts'
import { type Found, walk } from './search-by-next-slot.ts'

/** A row as anybody sees the doctor. */
export const doctorOf = ({ row, next }: Found): Doctor => ({
  id: row.id,
  name: row.name,
  crm: row.crm,
  specialties: row.specialties,
  price: { amount: row.priceAmount, currency: row.priceCurrency },
  ...(row.bio !== null && { bio: row.bio }),
  timezone: row.timezone,
  slotMinutes: row.slotMinutes,
  nextSlot: next ? textOf(next.start) : null
})

/** The first free slots of a doctor between two dates, or from today to the end of the booking window. */
export function firstSlots(row: Candidate, now: number, { from, to }: Dates, limit: number): Range[] {
  const offer = offerOf(row)
  const first = from ? dayOf(from) : localDay(offer.timezone, now)
  const last = to ? dayOf(to) : localDay(offer.timezone, now) + HORIZON_DAYS
  return freeSlots(offer, busyOf(row), first, last, now, limit)
}

/** One listed doctor. Throws `doctor_not_found`. */
export async function readDoctor(sql: Sql, id: string, instant: Temporal.Instant): Promise<Doctor> {
  let doctor: Doctor | undefined
  await walk(sql, { filter: { id }, order: 'bound', now: instant.epochMilliseconds }, ([found]) => {
    doctor = found && doctorOf(found)
    return true
  })
  if (!doctor) throw new Problem('doctor_not_found')
  return doctor
}

/** A question to the directory. `maxPrice` is in minor units; the dates ask for a free slot between them. */
export type Search = Filter & {
  availableFrom?: string | undefined
  availableTo?: string | undefined
  sort?: 'next_slot' | 'price' | 'name' | undefined
  limit?: number | undefined
  cursor?: string | undefined
}

/** A page of listed doctors. Doctors without a free slot come last where the next slot decides, and not at all where dates were asked for. */
export async function searchDoctors(sql: Sql, search: Search, instant: Temporal.Instant) {
  const now = instant.epochMilliseconds
  const { availableFrom: from, availableTo: to, sort = 'next_slot', limit = 20 } = search
  for (const [path, date] of [
    ['/availableFrom', from],
    ['/availableTo', to]
  ] as const)
    if (date) dateOf(date, path)
  if (from && to) checkDates({ from, to }, now)
  const after = search.cursor ? cursors[sort].decode(search.cursor) : undefined
  const hasDates = from !== undefined || to !== undefined
  if (hasDates && isOutOfReach({ from, to }, now)) return { items: [], nextCursor: null }
  const filter = { ...search, reach: hasDates ? reachOf({ from, to }, now) : undefined }
  const placed: { key: Place; found: Found }[] = []
  const met = new Set<string>()
  await walk(sql, { filter, order: sort === 'next_slot' ? 'bound' : sort, after, now }, (batch, reached) => {
    for (const found of batch) {
      const key = keyOf(sort, found)
      // who has no slot may be met twice
      if (met.has(found.row.id) || (after && compare(key, after) <= 0)) continue
      met.add(found.row.id)
      if (hasDates && firstSlots(found.row, now, { from, to }, 1).length === 0) continue
      placed.push({ key, found })
    }
    placed.sort((a, b) => compare(a.key, b.key))
    const extra = placed[limit]
    return extra !== undefined && (!reached || compare(extra.key, reached) <= 0)
  })
  const page = placed.slice(0, limit)
  const last = page.at(-1)
  return {
    items: page.map(({ found }) => doctorOf(found)),
    nextCursor: placed.length > limit && last ? cursors[sort].encode(last.key as never) : null
  }
}

const cursors = {
  next_slot: cursorsOf('doctors by next_slot', 'number', 'uuid'),
  price: cursorsOf('doctors by price', 'int4', 'uuid'),
  name: cursorsOf('doctors by name', 'text', 'uuid')
}
const keyOf = (sort: NonNullable<Search['sort']>, { row, next }: Found): Place => [
  sort === 'price' ? row.priceAmount : sort === 'name' ? row.nameFolded : (next?.start ?? NEVER),
  row.id
]
/** Orders places as the database does: numbers by size, texts by their bytes. */
export const compare = ([a, aId]: Place, [b, bId]: Place): number => {
  const bytes = typeof a === 'string' ? Buffer.compare(Buffer.from(a), Buffer.from(String(b))) : a - Number(b)
  return bytes || (aId < bId ? -1 : aId > bId ? 1 : 0)
}
