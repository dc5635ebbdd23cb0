import fc from 'fast-check'
import { availabilityOf } from '../slots/read.ts'
import { dateText, dayOf } from '../slots/zone.ts'
import type { Hours } from './oracle.ts'

/** Zones whose clocks change in every way there is: at midnight, by half an hour, by a whole date, with odd offsets, and never. */
export const zones = [
  'America/Sao_Paulo',
  'America/Santiago',
  'America/New_York',
  'Europe/Lisbon',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'Pacific/Apia',
  'UTC'
]

/** Hours of a test, open at no time but for what it names. */
export const hoursOf = (more: Partial<Hours>): Hours => ({
  timezone: 'America/Sao_Paulo',
  slotMinutes: 60,
  bufferMinutes: 0,
  minNoticeMinutes: 0,
  bookingWindowDays: 365,
  rules: [],
  exceptions: [],
  ...more
})
/** Hours as the quick code takes them. */
export const offered = (hours: Hours) =>
  availabilityOf({ ...hours, busy: [], exceptions: hours.exceptions.map((e) => ({ start: null, end: null, ...e })) })
/** Each weekday from `start` to `end`. */
export const always = (start: string, end: string) => [1, 2, 3, 4, 5, 6, 7].map((weekday) => ({ weekday, start, end }))

const clock = fc
  .integer({ min: 0, max: 96 })
  .map((quarter) => `${String(Math.floor(quarter / 4)).padStart(2, '0')}:${String((quarter % 4) * 15).padStart(2, '0')}`)
const span = fc
  .tuple(clock, clock)
  .filter(([a, b]) => a !== b)
  .map(([a, b]) => (a < b ? { start: a, end: b } : { start: b, end: a }))

/** Days at and around changes of the clock are as likely as all others together. */
const someDay = (zone: string) =>
  fc.oneof(fc.constantFrom(...changesOf(zone)), fc.integer({ min: dayOf('2006-01-01'), max: dayOf('2037-12-31') }))

const known = new Map<string, number[]>()
function changesOf(zone: string): number[] {
  const found = known.get(zone) ?? []
  if (found.length > 0) return found
  let at: Temporal.ZonedDateTime | null = Temporal.ZonedDateTime.from(`2006-01-01T00:00[${zone}]`)
  for (at = at.getTimeZoneTransition('next'); at && at.year < 2038; at = at.getTimeZoneTransition('next'))
    found.push(dayOf(at.toPlainDate().toString()))
  if (found.length === 0) found.push(dayOf('2027-03-14'))
  known.set(zone, found)
  return found
}

/** Windows of a weekday that do not overlap, as the publishing demands: cut out of the day at sorted times. */
const rulesArbitrary = fc.uniqueArray(clock, { minLength: 2, maxLength: 6 }).chain((cuts) => {
  const times = [...cuts].sort()
  const windows = times.slice(1).map((end, index) => ({ start: times[index] as string, end }))
  return fc
    .tuple(fc.subarray(windows, { minLength: 1 }), fc.subarray([1, 2, 3, 4, 5, 6, 7], { minLength: 3 }))
    .map(([chosen, weekdays]) => weekdays.flatMap((weekday) => chosen.map((window) => ({ weekday, ...window }))))
})

/** Hours, claimed visits, a moment and a question around a day, often one on which the zone's clocks change. */
export const cases = fc.constantFrom(...zones).chain((timezone) =>
  someDay(timezone).chain((day) => {
    const near = fc.integer({ min: -3, max: 3 }).map((offset) => dateText(day + offset))
    const exception = fc
      .record({ kind: fc.constantFrom('closed' as const, 'open' as const), a: near, b: near, times: fc.option(span, { nil: undefined }) })
      .map(({ kind, a, b, times }) => {
        const [from = a, to = b] = [a, b].sort()
        return { kind, from, to, ...times }
      })
    const validity = fc.option(near, { nil: undefined })
    return fc.record({
      hours: fc
        .record({
          slotMinutes: fc.constantFrom(5, 15, 20, 30, 45, 60, 90, 480),
          bufferMinutes: fc.constantFrom(0, 0, 5, 10, 30),
          minNoticeMinutes: fc.constantFrom(0, 60, 90, 1440),
          bookingWindowDays: fc.constantFrom(1, 3, 90),
          rules: rulesArbitrary,
          validFrom: validity,
          exceptions: fc.array(exception, { maxLength: 3 })
        })
        .map(({ rules, validFrom, ...rest }) => ({
          ...rest,
          timezone,
          rules: rules.map((rule) => ({ ...rule, ...(validFrom && { validFrom }) }))
        })),
      // minutes from noon UTC two days before
      now: fc.integer({ min: 0, max: 4 * 1440 }).map((minutes) => (day - 2) * 86_400_000 + minutes * 60_000),
      claimed: fc.array(
        fc
          .tuple(fc.integer({ min: -2880, max: 2880 }), fc.constantFrom(5, 30, 60))
          .map(([minute, length]) => ({ start: day * 86_400_000 + minute * 60_000, end: day * 86_400_000 + (minute + length) * 60_000 })),
        { maxLength: 5 }
      ),
      from: fc.integer({ min: -2, max: 1 }).map((offset) => day + offset),
      days: fc.integer({ min: 0, max: 4 })
    })
  })
)
/** Visits without a buffer of their own. */
export const asBusy = (spans: { start: number; end: number }[]) => spans.map((visit) => ({ ...visit, bufferedEnd: visit.end }))
