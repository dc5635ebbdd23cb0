import { type Exception, type Rule, windowsOf } from '../schedule/windows.ts'
import { type Day, dayExists, instantAt, localDay } from './zone.ts'

/** A stretch of time, half open, in Unix milliseconds. */
export type Range = { start: number; end: number }

/** What a doctor offers: minutes and days as published. */
export type Offer = {
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
 * The free slots of a doctor on the days from `from` to `to`, both included, in order; at most `limit`. This is what is offered and what is
 * accepted: both the listing and the booking ask here. Slots step through a window in elapsed time, so over a clock change a night has one more
 * or one less, none twice.
 */
export function freeSlots(offer: Offer, busy: Busy[], from: Day, to: Day, now: number, limit = Number.POSITIVE_INFINITY): Range[] {
  const earliest = now + offer.minNoticeMinutes * MINUTE_MS
  const latest = now + offer.bookingWindowDays * DAY_MS
  const first = Math.max(from, localDay(offer.timezone, earliest))
  const last = Math.min(to, localDay(offer.timezone, latest))
  const blocks = blocksOf(busy, offer.bufferMinutes * MINUTE_MS)
  const found: Range[] = []
  let block = 0
  let before = Number.NEGATIVE_INFINITY
  for (let day = first; day <= last && found.length < limit; day++) {
    for (const window of rangesOf(offer, day)) {
      // a window that lies in a gap of the clock is moved on by it, maybe into its neighbour: nothing is offered twice
      const start = Math.max(window.start, before)
      before = Math.max(before, window.end)
      const length = offer.slotMinutes * MINUTE_MS
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
export function rangesOf(offer: Pick<Offer, 'timezone' | 'rules' | 'exceptions'>, day: Day): Range[] {
  const windows = windowsOf(offer.rules, offer.exceptions, day)
  if (windows.length === 0 || !dayExists(offer.timezone, day)) return []
  return windows.map(({ start, end }) => ({ start: instantAt(offer.timezone, day, start), end: instantAt(offer.timezone, day, end) }))
}

/** What a slot may not touch: each visit with the buffer on both sides, in order, merged where they meet. */
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

/** Whether the doctor's hours hold a slot from `start` to `end`, whoever may have it: what tells "taken" from "never offered". */
export function isInHours(offer: Offer, range: Range, now: number): boolean {
  const day = localDay(offer.timezone, range.start)
  const open = { ...offer, bufferMinutes: 0 }
  return freeSlots(open, [], day - 1, day + 1, now).some(({ start, end }) => start === range.start && end === range.end)
}

/** Whether a visit lies wholly within one open window; unlike a slot it need not begin on a step of it. */
export function isCovered(offer: Offer, { start, end }: Range): boolean {
  const day = localDay(offer.timezone, start)
  return [day - 1, day].some((candidate) => rangesOf(offer, candidate).some((open) => open.start <= start && end <= open.end))
}
