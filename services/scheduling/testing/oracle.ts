import type { StoredRule } from '../slots/read.ts'

/** Hours as the API writes them, for a test of what follows from them. */
export type Hours = {
  timezone: string
  slotMinutes: number
  bufferMinutes: number
  minNoticeMinutes: number
  bookingWindowDays: number
  rules: StoredRule[]
  exceptions: { kind: 'closed' | 'open'; from: string; to: string; start?: string; end?: string }[]
}
type TimeRange = { start: number; end: number }

const MINUTE_MS = 60_000
const at = (time = '00:00') => Number(time.slice(0, 2)) * 60 + Number(time.slice(3))

/**
 * The free slots by the words of the contract, slowly and minute by minute, with dates as Temporal's: what the quick code is measured by. `claimed`
 * are visits in Unix ms.
 */
export function slotsByTheContract(hours: Hours, claimed: TimeRange[], from: string, to: string, now: number): TimeRange[] {
  const found: TimeRange[] = []
  const last = Temporal.PlainDate.from(to)
  let given = Number.NEGATIVE_INFINITY
  for (
    let date = Temporal.PlainDate.from(from).subtract({ days: 1 });
    Temporal.PlainDate.compare(date, last) <= 0;
    date = date.add({ days: 1 })
  ) {
    for (const window of openWindows(hours, date)) {
      const [opens, closes] = [instant(date, window.start, hours.timezone), instant(date, window.end, hours.timezone)]
      let start = Math.max(opens, given)
      given = Math.max(given, closes)
      for (; start + hours.slotMinutes * MINUTE_MS <= closes; start += hours.slotMinutes * MINUTE_MS) {
        const slot = { start, end: start + hours.slotMinutes * MINUTE_MS }
        if (date.toString() >= from && isFree(hours, claimed, slot, now)) found.push(slot)
      }
    }
  }
  return found
}

function isFree(
  { bufferMinutes, minNoticeMinutes, bookingWindowDays }: Hours,
  claimed: TimeRange[],
  { start, end }: TimeRange,
  now: number
): boolean {
  const buffer = bufferMinutes * MINUTE_MS
  return (
    start >= now + minNoticeMinutes * MINUTE_MS &&
    end <= now + bookingWindowDays * 1440 * MINUTE_MS &&
    claimed.every((visit) => end + buffer <= visit.start || visit.end + buffer <= start)
  )
}

/** Asks each minute of the day whether it is open, and where a new window begins. */
function openWindows({ rules, exceptions, timezone }: Hours, date: Temporal.PlainDate): TimeRange[] {
  if (!exists(date, timezone)) return []
  const day = date.toString()
  const inForce = exceptions.filter(({ from, to }) => from <= day && day <= to).map((exception) => ({ ...exception, ...edges(exception) }))
  const open = [
    ...rules
      .filter(
        ({ weekday, validFrom, validUntil }) => weekday === date.dayOfWeek && (validFrom ?? '') <= day && day <= (validUntil ?? '9999')
      )
      .map(edges),
    ...inForce.filter(({ kind }) => kind === 'open')
  ]
  const closed = inForce.filter(({ kind }) => kind === 'closed')
  const isOpen = (minute: number) => open.some((span) => holds(span, minute)) && !closed.some((span) => holds(span, minute))
  const begins = (minute: number) =>
    open.some(({ start }) => start === minute) && !open.some(({ start, end }) => start < minute && minute < end)
  const windows: TimeRange[] = []
  for (let minute = 0; minute < 1440; minute++) {
    if (!isOpen(minute)) continue
    const current = windows.at(-1)
    if (current?.end === minute && !begins(minute)) current.end = minute + 1
    else windows.push({ start: minute, end: minute + 1 })
  }
  return windows
}

const edges = ({ start, end }: { start?: string; end?: string }) => ({ start: at(start), end: at(end ?? '24:00') })
const holds = ({ start, end }: TimeRange, minute: number) => start <= minute && minute < end

/** A zone may jump over a whole date, as Apia did in 2011. */
const exists = (date: Temporal.PlainDate, zone: string) => date.toZonedDateTime(zone).toPlainDate().equals(date)

function instant(date: Temporal.PlainDate, minute: number, zone: string): number {
  const local = date.toPlainDateTime().add({ minutes: minute })
  return local.toZonedDateTime(zone, { disambiguation: 'compatible' }).epochMilliseconds
}
