import { expect, test } from 'bun:test'
import type { Hours } from '../testing/oracle.ts'
import { always, hoursOf, offered } from '../testing/slot-cases.ts'
import { freeSlots } from './slots.ts'
import { dayOf } from './zone.ts'

/** The starts on a date as its zone's clocks show them, asked for long before. */
function startsOn(date: string, more: Partial<Hours>, now = Date.parse(`${date}T00:00:00Z`) - 30 * 86_400_000): string[] {
  const hours = hoursOf(more)
  return freeSlots(offered(hours), [], dayOf(date), dayOf(date), now).map(({ start }) => wall(start, hours.timezone))
}
const wall = (at: number, zone: string) =>
  Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone).toPlainTime().toString().slice(0, 5)
const names = (from: number, to: number) => Array.from({ length: to - from }, (_, hour) => `${String(from + hour).padStart(2, '0')}:00`)

test('08:00 to 17:00 by the hour gives nine starts, the last at 16:00', () => {
  expect(startsOn('2027-01-04', { rules: always('08:00', '17:00') })).toEqual(names(8, 17))
})

test('what does not fit whole is dropped', () => {
  expect(startsOn('2027-01-04', { rules: always('08:00', '09:59'), slotMinutes: 45 })).toEqual(['08:00', '08:45'])
  expect(startsOn('2027-01-04', { rules: always('08:00', '08:44'), slotMinutes: 45 })).toEqual([])
})

test('24:00 ends a window at midnight, and the last slot of the day may end there', () => {
  expect(startsOn('2027-01-04', { rules: always('22:00', '24:00') })).toEqual(['22:00', '23:00'])
  expect(startsOn('2027-01-04', { rules: always('00:00', '24:00') })).toEqual(names(0, 24))
})

test('a night window is an hour shorter where the clock leaps, and none of its starts is on a time that does not exist', () => {
  const night = { timezone: 'America/New_York', rules: always('00:00', '06:00') }
  expect(startsOn('2027-03-14', night)).toEqual(['00:00', '01:00', '03:00', '04:00', '05:00'])
})

test('a night window is an hour longer where the clock falls back, and the hour that comes twice is offered as two slots', () => {
  const night = { timezone: 'America/New_York', rules: always('00:00', '06:00') }
  expect(startsOn('2027-11-07', night)).toEqual(['00:00', '01:00', '01:00', '02:00', '03:00', '04:00', '05:00'])
})

test('a clock that leaps at midnight leaves a day without its first hour: São Paulo, 4 November 2018', () => {
  expect(startsOn('2018-11-04', { rules: always('00:00', '04:00') })).toEqual(['01:00', '02:00', '03:00'])
})

test('a clock that falls back at midnight gives the evening before one hour more: São Paulo, 17 February 2018', () => {
  expect(startsOn('2018-02-17', { rules: always('21:00', '24:00') })).toEqual(['21:00', '22:00', '23:00', '23:00'])
})

test('a change of half an hour shifts the starts of that night alone: Lord Howe, 3 October 2027', () => {
  const night = { timezone: 'Australia/Lord_Howe', rules: always('00:00', '06:00') }
  expect(startsOn('2027-10-03', night)).toEqual(['00:00', '01:00', '02:30', '03:30', '04:30'])
  expect(startsOn('2027-10-04', night)).toEqual(names(0, 6))
})

test('a date that the zone leapt over has no slots, and the next has its own only: Apia, 30 December 2011', () => {
  const apia = { timezone: 'Pacific/Apia', rules: always('08:00', '11:00') }
  expect(startsOn('2011-12-29', apia)).toEqual(names(8, 11))
  expect(startsOn('2011-12-30', apia)).toEqual([])
  expect(startsOn('2011-12-31', apia)).toEqual(names(8, 11))
})

test('hours that lie in a gap and are moved into the next window are not offered twice', () => {
  const rules = [...always('02:00', '03:00'), ...always('03:00', '05:00')]
  expect(startsOn('2027-03-14', { timezone: 'America/New_York', rules })).toEqual(['03:00', '04:00'])
})

test('a rule is in force from the first to the last day of its validity, both included', () => {
  const rules = always('08:00', '09:00').map((rule) => ({ ...rule, validFrom: '2027-01-05', validUntil: '2027-01-06' }))
  expect(['2027-01-04', '2027-01-05', '2027-01-06', '2027-01-07'].map((date) => startsOn(date, { rules }).length)).toEqual([0, 1, 1, 0])
})

test('closed exceptions take hours away and open ones add some; a whole day needs no times', () => {
  const rules = always('08:00', '12:00')
  const on = (...exceptions: Hours['exceptions']) => startsOn('2027-01-04', { rules, exceptions })
  const day = { from: '2027-01-04', to: '2027-01-04' }
  expect(on({ kind: 'closed', from: '2027-01-01', to: '2027-01-10' })).toEqual([])
  expect(on({ kind: 'closed', ...day, start: '09:00', end: '10:30' })).toEqual(['08:00', '10:30'])
  expect(on({ kind: 'open', ...day, start: '14:00', end: '16:00' })).toEqual(['08:00', '09:00', '10:00', '11:00', '14:00', '15:00'])
  expect(on({ kind: 'open', ...day, start: '11:30', end: '13:00' })).toEqual(['08:00', '09:00', '10:00', '11:00', '12:00'])
  expect(on({ kind: 'open', ...day }, { kind: 'closed', ...day, start: '01:00', end: '24:00' })).toEqual(['00:00'])
})

test('the notice binds to the minute and the booking window to the end of the slot', () => {
  const rules = always('08:00', '11:00')
  const eight = Date.parse('2027-01-04T11:00:00Z')
  const at = (now: number, more: Partial<Hours>) => startsOn('2027-01-04', { rules, ...more }, now)
  expect(at(eight - 3_600_000, { minNoticeMinutes: 60 })).toEqual(['08:00', '09:00', '10:00'])
  expect(at(eight - 3_600_000 + 1, { minNoticeMinutes: 60 })).toEqual(['09:00', '10:00'])
  expect(at(eight + 3_600_000 - 86_400_000, { bookingWindowDays: 1 })).toEqual(['08:00'])
})

test('a slot keeps the buffer on both sides of what is claimed', () => {
  const nine = Date.parse('2027-01-04T12:30:00Z')
  const claimed = [{ start: nine, end: nine + 1_800_000, bufferedEnd: nine + 1_800_000 }]
  const starts = (bufferMinutes: number) =>
    freeSlots(
      offered(hoursOf({ rules: always('08:00', '11:30'), slotMinutes: 30, bufferMinutes })),
      claimed,
      dayOf('2027-01-04'),
      dayOf('2027-01-04'),
      nine - 86_400_000
    ).map(({ start }) => wall(start, 'America/Sao_Paulo'))
  expect(starts(0)).toEqual(['08:00', '08:30', '09:00', '10:00', '10:30', '11:00'])
  expect(starts(1)).toEqual(['08:00', '08:30', '10:30', '11:00'])
  expect(starts(30)).toEqual(['08:00', '08:30', '10:30', '11:00'])
  expect(starts(31)).toEqual(['08:00', '11:00'])
})
