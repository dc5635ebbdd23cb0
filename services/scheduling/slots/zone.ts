/** Days since 1 January 1970: a calendar date as a number, so that the inner loops make no objects. */
export type Day = number

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000
const epoch = Temporal.PlainDate.from('1970-01-01')

/** The day number of a date `YYYY-MM-DD`, which must exist. */
export const dayOf = (date: string): Day => Date.parse(`${date}T00:00:00Z`) / DAY_MS
/** The date of a day number as `YYYY-MM-DD`. */
export const dateText = (day: Day): string => new Date(day * DAY_MS).toISOString().slice(0, 10)
/** ISO weekday, 1 for Monday. */
export const weekdayOf = (day: Day): number => ((((day + 3) % 7) + 7) % 7) + 1
/** The day that a wall calendar of the zone shows at an instant (Unix ms). */
export const localDay = (zone: string, at: number): Day =>
  dayOf(Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone).toPlainDate().toString())

/** A local day as instants: its midnight, and whether its clock runs without a change from there to the next midnight. */
type LocalDayStart = { midnight: number; plain: boolean }

const REMEMBERED_DAYS = 50_000
let remembered = new Map<string, Map<Day, LocalDayStart>>()
let count = 0

function dayStart(zone: string, day: Day): LocalDayStart {
  let days = remembered.get(zone)
  if (!days) {
    days = new Map()
    remembered.set(zone, days)
  }
  let start = days.get(day)
  if (!start) {
    const midnight = exact(zone, day, 0)
    // the clock may change and change back within a day only in theory; a day of 24 h is taken for one without a change
    start = { midnight, plain: exact(zone, day + 1, 0) - midnight === DAY_MS && localDay(zone, midnight) === day }
    if (++count > REMEMBERED_DAYS) {
      remembered = new Map([[zone, days]])
      days.clear()
      count = 1
    }
    days.set(day, start)
  }
  return start
}

/** The zones that this process has met lately. */
export const metZones = (): string[] => [...remembered.keys()]

/** Temporal's `compatible`: a time in a gap moves on by the gap's length, a repeated one is the first of the two. */
function exact(zone: string, day: Day, minute: number): number {
  const midnight = epoch.add({ days: day + Math.floor(minute / 1440) }).toPlainDateTime()
  return midnight.add({ minutes: minute % 1440 }).toZonedDateTime(zone, { disambiguation: 'compatible' }).epochMilliseconds
}

/** The instant (Unix ms) of a local time, `minute` from 0 to 1440. The only place where local time becomes an instant. */
export function instantAt(zone: string, day: Day, minute: number): number {
  const { midnight, plain } = dayStart(zone, day)
  return plain ? midnight + minute * MINUTE_MS : exact(zone, day, minute)
}

/** Whether the zone's calendar has the day at all: Apia has no 30 December 2011. */
export const dayExists = (zone: string, day: Day): boolean => dayStart(zone, day).plain || localDay(zone, exact(zone, day, 720)) === day
