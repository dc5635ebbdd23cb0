import SQL from 'sql-template-strings'
import { type Db, maybeOne, run } from '#platform/db'
import { announce } from '#platform/outbox'
import { instantText } from '#platform/schema'
import { type Calendar, readCalendar } from '../slots/read.ts'
import { freeSlots, type Range } from '../slots/slots.ts'
import { dateText, localDay } from '../slots/zone.ts'

const OFFER_MINUTES = 15
/** How many of a line are asked about one slot before it is free for all. */
const MOST_ASKED = 20
const MINUTE_MS = 60_000

/** Who waits. */
export type Waiting = { id: string; patientId: string; patientName: string }

/**
 * Gives a time that has become free to the first in line, in the transaction that frees it, so that nobody comes between: the slot is held for them
 * for 15 min and they are told. Who cannot take it (they have another appointment then) keeps their place and the next one is asked.
 */
export async function passOn(tx: Db, freed: { doctorId: string; start: number }, now: Temporal.Instant): Promise<void> {
  const at = new Date(now.epochMilliseconds)
  if (!(await anybodyWaits(tx, freed.doctorId))) return
  const calendar = await readCalendar(tx, freed.doctorId, { from: new Date(freed.start), to: new Date(freed.start), now: at })
  if (!calendar) return
  const { offer, busy } = calendar
  const day = localDay(offer.timezone, freed.start)
  const slot = freeSlots(offer, busy, day, day, at.getTime()).find(({ start }) => start >= freed.start)
  if (!slot || slot.start >= freed.start + offer.slotMinutes * MINUTE_MS) return
  for await (const waiting of lineFor(tx, freed.doctorId, dateText(day))) {
    if (await holdFor(tx, waiting, calendar, slot, at)) return
  }
}

const anybodyWaits = async (tx: Db, doctorId: string) =>
  (await maybeOne(tx, SQL`select 1 as waits from waitlist where doctor_id = ${doctorId}::uuid and status = 'waiting' limit 1`)) !==
  undefined

/**
 * Those who wait for a day, first come first, each locked when it is their turn and not before: slots that free at one moment go to as many of the line,
 * and who is being served by another transaction is passed over.
 */
export async function* lineFor(tx: Db, doctorId: string, date: string): AsyncGenerator<Waiting> {
  let last: string | null = null
  for (let asked = 0; asked < MOST_ASKED; asked++) {
    const next: Waiting | undefined = await maybeOne<Waiting>(
      tx,
      SQL`select id, patient_id, patient_name from waitlist
           where doctor_id = ${doctorId}::uuid and status = 'waiting' and ${date}::date between from_date and to_date
             and (${last}::uuid is null or (created_at, id) > (select w.created_at, w.id from waitlist w where w.id = ${last}::uuid))
           order by created_at, id limit 1 for update skip locked`
    )
    if (!next) return
    yield next
    last = next.id
  }
}

/** Holds a slot for who waits and tells them. False where they cannot take it, or somebody else was quicker. */
export async function holdFor(tx: Db, waiting: Waiting, calendar: Calendar, slot: Range, at: Date): Promise<boolean> {
  const expiresAt = new Date(Math.min(at.getTime() + OFFER_MINUTES * MINUTE_MS, slot.start))
  const [start, end] = [new Date(slot.start), new Date(slot.end)]
  const id = Bun.randomUUIDv7()
  const held = await run(
    tx,
    SQL`insert into appointments (id, doctor_id, patient_id, patient_name, status, during, doctor_during, timezone, price_amount, price_currency,
                                  expires_at, waitlist_id, created_at, updated_at)
        values (${id}, ${calendar.id}, ${waiting.patientId}, ${waiting.patientName}, 'held', tstzrange(${start}::timestamptz, ${end}::timestamptz),
                tstzrange(${start}::timestamptz, ${new Date(slot.end + calendar.offer.bufferMinutes * MINUTE_MS)}::timestamptz),
                ${calendar.offer.timezone}, ${calendar.price.amount}, ${calendar.price.currency}, ${expiresAt}, ${waiting.id}, ${at}, ${at})
        on conflict do nothing`
  )
  if (held === 0) return false
  await run(tx, SQL`update waitlist set status = 'offered' where id = ${waiting.id}`)
  await announce(tx, 'healthmed.waitlist.offered.v1', waiting.id, {
    id: waiting.id,
    patientId: waiting.patientId,
    doctorId: calendar.id,
    start: instantText(start),
    end: instantText(end),
    timezone: calendar.offer.timezone,
    expiresAt: instantText(expiresAt)
  })
  return true
}
