import SQL from 'sql-template-strings'
import { type Db, maybeOne, run } from '#platform/data/db'
import { readCalendar } from '../slots/read.ts'
import { freeSlots, type Range } from '../slots/slots.ts'
import { dayOf } from '../slots/zone.ts'
import { holdFor, lineFor } from './offer.ts'

type Days = { from: string; to: string }

const MOST_OFFERS = 20

/**
 * Runs a change of what a doctor offers, and gives the slots that it adds to those who wait for them. What was free before stays free: who waits could
 * have had it.
 */
export async function widening<T>(tx: Db, doctorId: string, now: Temporal.Instant, change: () => Promise<T>): Promise<T> {
  const days = await waitedFor(tx, doctorId)
  if (!days) return change()
  await run(tx, SQL`select 1 from doctors where id = ${doctorId}::uuid for update`)
  const passed = new Set((await freeOn(tx, doctorId, days, now))?.slots.map(({ start }) => start))
  const result = await change()
  for (let offers = 0; offers < MOST_OFFERS; offers++) if (!(await offerOne(tx, doctorId, days, now, passed))) break
  return result
}

/** Offers the earliest new slot that somebody in line can take; `passed` gathers those that were looked at. */
async function offerOne(tx: Db, doctorId: string, days: Days, now: Temporal.Instant, passed: Set<number>): Promise<boolean> {
  const free = await freeOn(tx, doctorId, days, now)
  if (!free) return false
  for (const slot of free.slots) {
    if (passed.has(slot.start)) continue
    passed.add(slot.start)
    for await (const waiting of lineFor(tx, free.calendar, slot)) {
      if (await holdFor(tx, waiting, free.calendar, slot, new Date(now.epochMilliseconds))) return true
    }
  }
  return false
}

const waitedFor = async (tx: Db, doctorId: string): Promise<Days | undefined> => {
  const days = await maybeOne<{ from: string | null; to: string | null }>(
    tx,
    SQL`select min(from_date) as from, max(to_date) as to from waitlist where doctor_id = ${doctorId}::uuid and status = 'waiting'`
  )
  return days?.from && days.to ? { from: days.from, to: days.to } : undefined
}

async function freeOn(tx: Db, doctorId: string, { from, to }: Days, now: Temporal.Instant) {
  const at = new Date(now.epochMilliseconds)
  const calendar = await readCalendar(tx, doctorId, { from: new Date(from), to: new Date(to), now: at })
  if (!calendar) return undefined
  const slots: Range[] = freeSlots(calendar.offer, calendar.busy, dayOf(from), dayOf(to), at.getTime())
  return { calendar, slots }
}
