import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { requireOffered } from '../claims/claim.ts'
import { slotsByTheContract } from '../testing/oracle.ts'
import { always, asBusy, cases, hoursOf, offered, zones } from '../testing/slot-cases.ts'
import { freeSlots } from './slots.ts'
import { dateText, dayOf } from './zone.ts'

test('what is listed is what the words of the contract give, in eight zones, most of all where clocks change', () => {
  fc.assert(
    fc.property(cases, ({ hours, now, claimed, from, days }) => {
      const listed = freeSlots(offered(hours), asBusy(claimed), from, from + days, now)
      expect(listed).toEqual(slotsByTheContract(hours, claimed, dateText(from), dateText(from + days), now))
    }),
    { numRuns: 1500 }
  )
}, 60_000)

test('what is listed is accepted, and what is not listed is refused, at every fifth minute of the days around a change', () => {
  fc.assert(
    fc.property(cases, ({ hours, now, claimed, from }) => {
      const calendar = { offer: offered(hours), busy: asBusy(claimed) }
      const listed = new Set(freeSlots(calendar.offer, calendar.busy, from - 2, from + 3, now).map(({ start }) => start))
      for (let start = from * 86_400_000; start < (from + 1) * 86_400_000; start += 300_000) {
        let accepted = true
        try {
          requireOffered(calendar, start, now)
        } catch {
          accepted = false
        }
        expect(accepted).toBe(listed.has(start))
      }
    }),
    { numRuns: 40 }
  )
}, 60_000)

test('on every day of twenty years the first slot starts when the rule says, except where that time does not exist', () => {
  for (const timezone of zones) {
    const offer = offered(hoursOf({ timezone, rules: [...always('00:30', '03:30'), ...always('08:00', '10:00')], slotMinutes: 30 }))
    for (let day = dayOf('2010-01-01'); day < dayOf('2030-01-01'); day++) {
      const date = Temporal.PlainDate.from(dateText(day))
      const found = freeSlots({ ...offer, bookingWindowDays: 4 }, [], day, day, day * 86_400_000 - 2 * 86_400_000)
      for (const plainTime of ['00:30', '08:00']) {
        const meant = date.toZonedDateTime({ timeZone: timezone, plainTime })
        if (meant.toPlainDateTime().toString() !== `${date}T${plainTime}:00`) continue
        if (!found.some(({ start }) => start === meant.epochMilliseconds)) throw new Error(`${timezone} has no slot at ${meant}`)
      }
    }
  }
}, 60_000)
