import type { Upstream } from '../upstream/upstreams.ts'
import type { Document } from './documents.ts'

type Slot = { start: string; end: string }
/** What examples can name on this system: a doctor who can be booked, with free slots, soonest first. */
export type Bookable = { doctorId: string; slots: Slot[] }

/** The doctor and the slots of every example, and the Monday around which their dates lie. */
const EXAMPLE_DOCTOR = '019b0d5e-3c4f-7a31-9f0e-2f6f1f0c9a11'
const EXAMPLE_SLOTS: Slot[] = [
  { start: '2027-01-05T11:00:00Z', end: '2027-01-05T11:30:00Z' },
  { start: '2027-01-06T13:00:00Z', end: '2027-01-06T13:30:00Z' }
]
const EXAMPLE_MONDAY = Temporal.PlainDate.from('2027-01-04')
const named = new RegExp(`${EXAMPLE_DOCTOR}|2027-\\d{2}-\\d{2}(?:T\\d{2}:\\d{2}:\\d{2}(?:\\.\\d+)?Z)?`, 'g')
const ASK_MS = 3_000

/** Somebody who can be booked now; undefined where there is nobody, or scheduling does not answer. */
export async function bookable(scheduling: Upstream): Promise<Bookable | undefined> {
  const url = scheduling.pick()?.url
  const ask = async <Body>(path: string) => (await (await fetch(url + path, { signal: AbortSignal.timeout(ASK_MS) })).json()) as Body
  try {
    const { items } = await ask<{ items: { id: string }[] }>('/v1/doctors?limit=1')
    if (!items[0]) return undefined
    const { slots } = await ask<{ slots: Slot[] }>(`/v1/doctors/${items[0].id}/slots`)
    return { doctorId: items[0].id, slots }
  } catch {
    return undefined
  }
}

/**
 * A document whose examples can be executed as they are: their dates lie ahead, by whole weeks so that weekdays stay, and they name a doctor and slots of
 * this system. What an administrator does to a doctor names nobody who exists: an example must not do harm.
 */
export function withLiveExamples(document: Document, today: Temporal.PlainDate, found: Bookable | undefined): Document {
  const days = Math.ceil(EXAMPLE_MONDAY.until(today).days / 7) * 7
  const live = new Map<string, string>()
  for (const [nth, slot] of EXAMPLE_SLOTS.entries()) {
    const free = found?.slots[nth]
    if (free) live.set(slot.start, free.start).set(slot.end, free.end)
  }
  const paths = Object.entries(document.paths).map(([path, operations]) => {
    const ofAdmin = path.startsWith('/v1/admin/')
    const text = JSON.stringify(operations).replace(named, (example) => {
      if (example === EXAMPLE_DOCTOR) return ofAdmin ? example : (found?.doctorId ?? example)
      return live.get(example) ?? Temporal.PlainDate.from(example.slice(0, 10)).add({ days }).toString() + example.slice(10)
    })
    return [path, JSON.parse(text)]
  })
  return { ...document, paths: Object.fromEntries(paths) }
}
