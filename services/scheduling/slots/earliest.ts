import type { Sql } from '#platform/db'
import { candidates, doctorOf, firstSlots, horizon } from '../doctors/directory.ts'
import { checkDates, type Dates, slotText } from './list.ts'

/** The earliest free slots over every listed doctor of a specialty, soonest first. */
export async function earliestSlots(
  sql: Sql,
  { specialty, limit = 20, ...dates }: Dates & { specialty: string; limit?: number | undefined },
  instant: Temporal.Instant
) {
  const now = instant.epochMilliseconds
  checkDates(dates, now)
  const doctors = await candidates(sql, { specialty }, new Date(now), horizon(now), new Date(now))
  return doctors
    .flatMap((row) => {
      const [next] = firstSlots(row, now)
      return firstSlots(row, now, { ...dates, limit }).map((slot) => ({ slot, row, next }))
    })
    .sort((a, b) => a.slot.start - b.slot.start || (a.row.id < b.row.id ? -1 : 1))
    .slice(0, limit)
    .map(({ slot, row, next }) => ({ ...slotText(slot), doctor: doctorOf(row, next) }))
}
