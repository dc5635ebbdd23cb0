import type { Dates } from '../slots/list.ts'
import { type Day, dayOf, instantAt, metZones, weekdayOf } from '../slots/zone.ts'
import { HORIZON_DAYS } from './bound.ts'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
/** Of all zones the first has its midnight 14 hours before UTC, and the last 12 hours after. */
const FIRST_ZONE_MS = 14 * HOUR_MS
const LAST_ZONE_MS = 12 * HOUR_MS

/** Whether nobody can have a free slot on these dates: they are over in every zone, or begin after the longest booking window. */
export function isOutOfReach({ from, to }: Dates, now: number): boolean {
  if (to !== undefined && endOf(to) <= now) return true
  return from !== undefined && dayOf(from) * DAY_MS - FIRST_ZONE_MS > now + HORIZON_DAYS * DAY_MS
}

/** The instant (Unix ms) at which a date is over in every zone. */
const endOf = (date: string) => (dayOf(date) + 1) * DAY_MS + LAST_ZONE_MS

/** Midnights of one date: by the zones that were met, and that of the zone where it comes first, or last, for all others. */
type Midnights = { zones: Record<string, string>; others: Date }

/** What a doctor must have to be free on some of these dates, as a statement can ask it without a calendar. */
export type Reach = {
  now: Date
  /** Where the first date begins: the booking window reaches the first hours of a rule after it. */
  begins: Midnights | null
  /** Where the last date ends: the next free slot is before it. */
  ends: Midnights | null
  /**
   * A rule for one of these weekdays, or hours that open on these dates. They follow each other from the first date, so that the place of a weekday in the
   * list is the number of days after it.
   */
  weekdays: number[]
  from: string
  to: string
  /** Both dates are given: who is away from the first to the last is not free. */
  isClosed: boolean
}

/** What is asked of a doctor for a search between dates. */
export function reachOf({ from, to }: Dates, now: number): Reach {
  const days = from && to ? Math.min(7, dayOf(to) - dayOf(from) + 1) : 7
  const first = from ? dayOf(from) : 0
  return {
    now: new Date(now),
    begins: from ? midnights(first, -FIRST_ZONE_MS) : null,
    ends: to ? midnights(dayOf(to) + 1, LAST_ZONE_MS) : null,
    weekdays: Array.from({ length: days }, (_, nth) => weekdayOf(first + nth)),
    from: from ?? '0001-01-01',
    to: to ?? '9999-12-31',
    isClosed: from !== undefined && to !== undefined
  }
}

const midnights = (day: Day, offset: number): Midnights => ({
  zones: Object.fromEntries(metZones().map((zone) => [zone, new Date(instantAt(zone, day, 0)).toISOString()])),
  others: new Date(day * DAY_MS + offset)
})
