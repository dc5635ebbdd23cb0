import { type Exception, type Rule, windowsOf } from '../schedule/windows.ts'
import { type Day, dayExists, instantAt, localDay } from './zone.ts'

/** A half-open time range in Unix milliseconds. */
export type Range = { start: number; end: number }

/** When a doctor takes appointments: slot length, limits and hours, as published. */
export type AvailabilityRules = {
  timezone: string
  slotMinutes: number
  bufferMinutes: number
  minNoticeMinutes: number
  bookingWindowDays: number
  rules: Rule[]
  exceptions: Exception[]
}

/** A claimed visit, and where the doctor's buffer after it ends as it was when it was booked. */
export type Busy = { start: number; end: number; bufferedEnd: number }

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

/**
 * The free slots of a doctor on the days from `from` to `to`, both included, in order; at most `limit`. The list of slots and
 * the booking both use this function, so they always agree. Slots advance in elapsed time: a night with a clock change has one more or one less, and
 * no slot appears twice.
 */
export function freeSlots(
  availability: AvailabilityRules,
  busy: Busy[],
  from: Day,
  to: Day,
  now: number,
  limit = Number.POSITIVE_INFINITY
): Range[] {
  const earliest = now + availability.minNoticeMinutes * MINUTE_MS
  const latest = now + availability.bookingWindowDays * DAY_MS
  const first = Math.max(from, localDay(availability.timezone, earliest))
  const last = Math.min(to, localDay(availability.timezone, latest))
  const blocks = blocksOf(busy, availability.bufferMinutes * MINUTE_MS)
  const found: Range[] = []
  let block = 0
  let before = Number.NEGATIVE_INFINITY
  for (let day = first; day <= last && found.length < limit; day++) {
    for (const window of rangesOf(availability, day)) {
      // a window in a clock gap is shifted, perhaps into the next window: `before` keeps slots from appearing twice
      const start = Math.max(window.start, before)
      before = Math.max(before, window.end)
      const length = availability.slotMinutes * MINUTE_MS
      const skipped = Math.max(0, Math.ceil((earliest - start) / length))
      for (let at = start + skipped * length; at + length <= window.end && at + length <= latest; at += length) {
        while (block < blocks.length && blocks[block]!.end <= at) block++
        if (block < blocks.length && blocks[block]!.start < at + length) continue
        found.push({ start: at, end: at + length })
        if (found.length >= limit) return found
      }
    }
  }
  return found
}

/** The open windows of a local day as instants. */
export function rangesOf(availability: Pick<AvailabilityRules, 'timezone' | 'rules' | 'exceptions'>, day: Day): Range[] {
  const windows = windowsOf(availability.rules, availability.exceptions, day)
  if (windows.length === 0 || !dayExists(availability.timezone, day)) return []
  return windows.map(({ start, end }) => ({
    start: instantAt(availability.timezone, day, start),
    end: instantAt(availability.timezone, day, end)
  }))
}

/** The times that no slot may overlap: each visit with the buffer on both sides, sorted, merged where they meet. */
function blocksOf(busy: Busy[], buffer: number): Range[] {
  const blocks = busy.map(({ start, end, bufferedEnd }) => ({ start: start - buffer, end: Math.max(bufferedEnd, end + buffer) }))
  blocks.sort((a, b) => a.start - b.start)
  const merged: Range[] = []
  for (const block of blocks) {
    const last = merged.at(-1)
    if (last && block.start <= last.end) last.end = Math.max(last.end, block.end)
    else merged.push(block)
  }
  return merged
}

/** Whether the doctor's hours contain this slot, free or not. Distinguishes `slot_taken` from `slot_unavailable`. */
export function isInHours(availability: AvailabilityRules, range: Range, now: number): boolean {
  const day = localDay(availability.timezone, range.start)
  const open = { ...availability, bufferMinutes: 0 }
  return freeSlots(open, [], day - 1, day + 1, now).some(({ start, end }) => start === range.start && end === range.end)
}

/** Whether a visit lies within one open window. Unlike a slot, it may start at any minute of the window. */
export function isCovered(availability: AvailabilityRules, { start, end }: Range): boolean {
  const day = localDay(availability.timezone, start)
  return [day - 1, day].some((candidate) => rangesOf(availability, candidate).some((open) => open.start <= start && end <= open.end))
}
