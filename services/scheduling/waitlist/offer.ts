import SQL from 'sql-template-strings'
import { type Db, maybeOne, run } from '#platform/data/db'
import { announce } from '#platform/events/outbox'
import { instantText } from '#platform/http/schema'
import { type Calendar, readCalendar } from '../slots/read.ts'
import { freeSlots, type Range } from '../slots/slots.ts'
import { dateText, localDay } from '../slots/zone.ts'

const OFFER_MINUTES = 15
const MINUTE_MS = 60_000

/** Who waits. */
export type Waiting = { id: string; patientId: string; patientName: string; client: string | null }

/**
 * Gives a time that has become free to the first in line, in the transaction that frees it, so that nobody comes between: the slot is held for them
 * for 15 min and they are told. Who cannot take it (they have another appointment then) keeps their place and the next one gets it.
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
  for await (const waiting of lineFor(tx, calendar, slot)) {
    if (await holdFor(tx, waiting, calendar, slot, at)) return
  }
}

const anybodyWaits = async (tx: Db, doctorId: string) =>
  (await maybeOne(tx, SQL`select 1 as waits from waitlist where doctor_id = ${doctorId}::uuid and status = 'waiting' limit 1`)) !==
  undefined

/**
 * Those who wait for the day of a slot and can take it, first come first. Skipped, however many there are: people who were disabled, people who have another
 * appointment then, and who was offered this slot within the last day and did not take it, so that no two people pass one slot to and fro. Each is locked when it is
 * their turn and not before: slots that free at one moment go to as many of the line, and who is being served by another transaction is passed over.
 * Ends when somebody else has the slot.
 */
export async function* lineFor(tx: Db, { id: doctorId, offer }: Calendar, slot: Range): AsyncGenerator<Waiting> {
  const [start, end] = [new Date(slot.start), new Date(slot.end)]
  const bufferedEnd = new Date(slot.end + offer.bufferMinutes * MINUTE_MS)
  let last: string | null = null
  for (;;) {
    const next: Waiting | undefined = await maybeOne<Waiting>(
      tx,
      SQL`select w.id, w.patient_id, w.patient_name, w.client from waitlist w
           where w.doctor_id = ${doctorId}::uuid and w.status = 'waiting'
             and ${dateText(localDay(offer.timezone, slot.start))}::date between w.from_date and w.to_date
             and not exists (select 1 from people p where p.id = w.patient_id and (p.disabled or p.erased))
             and (${last}::uuid is null or (w.created_at, w.id) > (select l.created_at, l.id from waitlist l where l.id = ${last}::uuid))
             and not exists (select 1 from appointments a
                              where a.patient_id = w.patient_id and a.status in ('held', 'requested', 'confirmed')
                                and a.during && tstzrange(${start}::timestamptz, ${end}::timestamptz))
             and not exists (select 1 from appointments a
                              where a.patient_id = w.patient_id and lower(a.during) = ${start}::timestamptz and a.doctor_id = ${doctorId}::uuid
                                and a.status = 'released' and a.waitlist_id is not null)
             and not exists (select 1 from appointments a
                              where a.doctor_id = ${doctorId}::uuid and a.status in ('held', 'requested', 'confirmed')
                                and a.doctor_during && tstzrange(${start}::timestamptz, ${bufferedEnd}::timestamptz))
           order by w.created_at, w.id limit 1 for update of w skip locked`
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
                                  expires_at, waitlist_id, client, created_at, updated_at)
        values (${id}, ${calendar.id}, ${waiting.patientId}, ${waiting.patientName}, 'held', tstzrange(${start}::timestamptz, ${end}::timestamptz),
                tstzrange(${start}::timestamptz, ${new Date(slot.end + calendar.offer.bufferMinutes * MINUTE_MS)}::timestamptz),
                ${calendar.offer.timezone}, ${calendar.price.amount}, ${calendar.price.currency}, ${expiresAt}, ${waiting.id}, ${waiting.client}, ${at}, ${at})
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
