import type { Sql } from '#platform/data/db'
import { Problem } from '#platform/http/problem'
import { dateOf, invalid } from '#platform/http/schema'
import { readCalendar } from './read.ts'
import { freeSlots, type Range } from './slots.ts'
import { type Day, dayOf, localDay } from './zone.ts'

const DAY_MS = 86_400_000
const MAX_DAYS = 62
const STANDARD_DAYS = 7

/** Dates of a question, both included and optional. */
export type Dates = { from?: string | undefined; to?: string | undefined }

/** The days of a question in a zone; by default the next seven. Throws `validation_failed` or `range_too_long` (over 62 days). */
export function daysOf({ from, to }: Dates, zone: string, now: number): { from: Day; to: Day } {
  const first = from
    ? dayOf(dateOf(from, '/from').toString())
    : Math.min(localDay(zone, now), to ? dayOf(dateOf(to, '/to').toString()) : Infinity)
  const last = to ? dayOf(dateOf(to, '/to').toString()) : first + STANDARD_DAYS - 1
  if (last < first) throw invalid('/to', 'must not be before from')
  if (last - first >= MAX_DAYS) throw new Problem('range_too_long', `At most ${MAX_DAYS} days`)
  return { from: first, to: last }
}

/** Refuses dates that are wrong in every zone, before a doctor is looked for. */
export const checkDates = (dates: Dates, now: number): void => void daysOf(dates, 'UTC', now)

/** A slot as the API writes it. */
export const slotText = ({ start, end }: Range) => ({ start: textOf(start), end: textOf(end) })
/** An instant of Unix ms as the API writes it. Doctors have their slots at the same times: each is written once and remembered. */
export function textOf(at: number): string {
  let text = texts.get(at)
  if (text === undefined) {
    text = new Date(at).toISOString().replace('.000Z', 'Z')
    if (texts.size >= REMEMBERED) texts.clear()
    texts.set(at, text)
  }
  return text
}
const REMEMBERED = 10_000
const texts = new Map<number, string>()

/** The free slots of a listed doctor. Throws `doctor_not_found`, `validation_failed`, `range_too_long`. */
export async function listSlots(sql: Sql, doctorId: string, dates: Dates, instant: Temporal.Instant) {
  const now = instant.epochMilliseconds
  // two days more than asked on either side: the zone is known only when the doctor is
  const about = daysOf(dates, 'UTC', now)
  const from = new Date((about.from - 2) * DAY_MS)
  const to = new Date((about.to + 4) * DAY_MS)
  const calendar = await readCalendar(sql, doctorId, { from, to, now: new Date(now) })
  if (!calendar) throw new Problem('doctor_not_found')
  const { offer, busy, price } = calendar
  const days = daysOf(dates, offer.timezone, now)
  return {
    doctorId: calendar.id,
    timezone: offer.timezone,
    slotMinutes: offer.slotMinutes,
    price,
    slots: freeSlots(offer, busy, days.from, days.to, now).map(slotText)
  }
}
