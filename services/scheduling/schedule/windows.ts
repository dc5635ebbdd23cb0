import { type Day, weekdayOf } from '../slots/zone.ts'

/** A weekly rule, local times in minutes from midnight (0 to 1440), validity as days, both included. */
export type Rule = { weekday: number; start: number; end: number; validFrom: Day; validUntil: Day }
/** An exception over days, both included; closed or open from `start` to `end` on each of them. */
export type Exception = { kind: 'closed' | 'open'; from: Day; to: Day; start: number; end: number }
/** An open window of one date, half open, in minutes from local midnight. */
export type Window = { start: number; end: number }

/** Minutes from midnight of `HH:MM`. */
export const minutesOf = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3))

/** The open windows of a date: the weekly rules in force, plus what is open, minus what is closed; in order, none over another. */
export function windowsOf(rules: Rule[], exceptions: Exception[], day: Day): Window[] {
  const weekday = weekdayOf(day)
  const inForce = exceptions.filter(({ from, to }) => from <= day && day <= to)
  const open: Window[] = rules.filter((rule) => rule.weekday === weekday && rule.validFrom <= day && day <= rule.validUntil)
  const extra = inForce.filter(({ kind }) => kind === 'open')
  const closed = inForce.filter(({ kind }) => kind === 'closed')
  if (extra.length === 0 && closed.length === 0) return open.length > 1 ? [...open].sort(byStart) : open
  return closed.reduce(without, joined([...open, ...extra]))
}

const byStart = (a: Window, b: Window) => a.start - b.start

/** Windows that overlap become one; those that only touch stay two, each with its own first slot. */
function joined(windows: Window[]): Window[] {
  const result: Window[] = []
  for (const { start, end } of windows.sort(byStart)) {
    const last = result.at(-1)
    if (last && start < last.end) last.end = Math.max(last.end, end)
    else result.push({ start, end })
  }
  return result
}

const without = (windows: Window[], closed: Window): Window[] =>
  windows.flatMap(({ start, end }) =>
    closed.end <= start || end <= closed.start
      ? [{ start, end }]
      : [
          { start, end: closed.start },
          { start: closed.end, end }
        ].filter((part) => part.start < part.end)
  )
