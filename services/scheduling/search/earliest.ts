import type { Sql } from '#platform/data/db'
import { checkDates, type Dates, slotText } from '../slots/list.ts'
import type { Range } from '../slots/slots.ts'
import { compare, doctorOf, firstSlots } from './directory.ts'
import { isOutOfReach, reachOf } from './reach.ts'
import { type Found, walk } from './search-by-next-slot.ts'

/** The earliest free slots over every listed doctor of a specialty, soonest first. */
export async function earliestSlots(
  sql: Sql,
  { specialty, limit = 20, ...dates }: Dates & { specialty: string; limit?: number | undefined },
  instant: Temporal.Instant
) {
  const now = instant.epochMilliseconds
  checkDates(dates, now)
  if (isOutOfReach(dates, now)) return []
  const reach = dates.from !== undefined || dates.to !== undefined ? reachOf(dates, now) : undefined
  let soonest: { slot: Range; found: Found }[] = []
  await walk(sql, { filter: { specialty, reach }, order: 'bound', now }, (batch, reached) => {
    const slots = batch.flatMap((found) => firstSlots(found.row, now, dates, limit).map((slot) => ({ slot, found })))
    soonest = [...soonest, ...slots].sort((a, b) => compare([a.slot.start, a.found.row.id], [b.slot.start, b.found.row.id])).slice(0, limit)
    const last = soonest[limit - 1]
    return last !== undefined && (!reached || compare([last.slot.start, last.found.row.id], reached) <= 0)
  })
  return soonest.map(({ slot, found }) => ({ ...slotText(slot), doctor: doctorOf(found) }))
}
