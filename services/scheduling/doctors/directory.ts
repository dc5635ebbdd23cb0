import SQL, { type SQLStatement } from 'sql-template-strings'
import { type Db, rows, type Sql } from '#platform/db'
import { Problem } from '#platform/problem'
import { dateOf, decodeCursor, encodeCursor } from '#platform/schema'
import { checkDates, textOf } from '../slots/list.ts'
import { busyOf, type OfferColumns, offerOf } from '../slots/read.ts'
import { freeSlots, type Range } from '../slots/slots.ts'
import { dayOf, localDay } from '../slots/zone.ts'
import { type Doctor, fold } from './model.ts'

const DAY_MS = 86_400_000
const MAX_WINDOW_DAYS = 366

type Row = OfferColumns & {
  id: string
  name: string
  nameFolded: string
  crm: string
  specialties: string[]
  priceAmount: number
  priceCurrency: string
  bio: string | null
}

/** Which listed doctors; every filter is optional. */
export type Filter = { specialty?: string | undefined; q?: string | undefined; maxPrice?: number | undefined; id?: string | undefined }

/** Listed doctors with rules, exceptions and what is claimed from `from` to `to`, all in one statement. */
export function candidates(db: Db, filter: Filter, from: Date, to: Date, now: Date): Promise<Row[]> {
  return rows<Row>(db, candidateStatement(filter, from, to, now))
}

function candidateStatement({ specialty, q, maxPrice, id }: Filter, from: Date, to: Date, now: Date): SQLStatement {
  const like =
    q === undefined
      ? null
      : `%${fold(q)
          .trim()
          .replace(/[\\%_]/g, '\\$&')
          .replace(/\s+/g, '%')}%`
  return SQL`
    select d.id, d.name, d.name_folded, d.crm, d.specialties, d.price_amount, d.price_currency, d.bio, d.timezone, d.slot_minutes, d.buffer_minutes,
           d.min_notice_minutes, d.booking_window_days, d.rules, coalesce(e.exceptions, '[]') as exceptions, coalesce(a.busy, '[]') as busy
      from doctors d
      left join (select doctor_id, jsonb_agg(jsonb_build_object('kind', kind, 'from', from_date, 'to', to_date, 'start', start_time, 'end', end_time)) as exceptions
                   from exceptions where to_date >= ${from}::timestamptz::date - 1 and from_date <= ${to}::timestamptz::date + 1
                  group by doctor_id) e on e.doctor_id = d.id
      left join lateral (
             select jsonb_agg(jsonb_build_array(extract(epoch from lower(during)) * 1000, extract(epoch from upper(during)) * 1000,
                                                extract(epoch from upper(doctor_during)) * 1000)) as busy
               from appointments
              where doctor_id = d.id and status in ('held', 'requested', 'confirmed') and not (status = 'held' and expires_at <= ${now} and waitlist_id is null)
                and doctor_during && tstzrange(${from}::timestamptz - interval '1 day', ${to}::timestamptz + interval '1 day')) a on true
     where d.listed
       and (${id ?? null}::uuid is null or d.id = ${id ?? null}::uuid)
       and (${specialty ?? null}::text is null or d.specialties @> array[${specialty ?? null}::text])
       and (${maxPrice ?? null}::int is null or d.price_amount <= ${maxPrice ?? null}::int)
       and (${like}::text is null or d.name_folded like ${like}::text)`
}

/** A row as anybody sees the doctor. */
export const doctorOf = (row: Row, next: Range | undefined): Doctor => ({
  id: row.id,
  name: row.name,
  crm: row.crm,
  specialties: row.specialties,
  price: { amount: row.priceAmount, currency: row.priceCurrency },
  ...(row.bio !== null && { bio: row.bio }),
  timezone: row.timezone,
  slotMinutes: row.slotMinutes,
  nextSlot: next ? textOf(next.start) : null
})

/** The first free slots of a doctor from a day on, within the booking window. */
export function firstSlots(
  row: Row,
  now: number,
  { from, to, limit = 1 }: { from?: string | undefined; to?: string | undefined; limit?: number } = {}
) {
  const offer = offerOf(row)
  const first = from ? dayOf(from) : localDay(offer.timezone, now)
  const last = to ? dayOf(to) : localDay(offer.timezone, now) + MAX_WINDOW_DAYS
  return freeSlots(offer, busyOf(row), first, last, now, limit)
}

/** The longest that a doctor may be booked ahead, as a span that a statement must cover. */
export const horizon = (now: number) => new Date(now + MAX_WINDOW_DAYS * DAY_MS)

/** One listed doctor. Throws `doctor_not_found`. */
export async function readDoctor(sql: Sql, id: string, instant: Temporal.Instant): Promise<Doctor> {
  const now = instant.epochMilliseconds
  const [row] = await candidates(sql, { id }, new Date(now), horizon(now), new Date(now))
  if (!row) throw new Problem('doctor_not_found')
  return doctorOf(row, firstSlots(row, now)[0])
}

/** A question to the directory. `maxPrice` is in minor units; the dates ask for a free slot between them. */
export type Search = Filter & {
  availableFrom?: string | undefined
  availableTo?: string | undefined
  sort?: 'next_slot' | 'price' | 'name' | undefined
  limit?: number | undefined
  cursor?: string | undefined
}

/** A page of listed doctors. Doctors without a free slot come last where the next slot decides, and not at all where dates were asked for. */
export async function searchDoctors(sql: Sql, search: Search, instant: Temporal.Instant) {
  const now = instant.epochMilliseconds
  const { availableFrom: from, availableTo: to, sort = 'next_slot', limit = 20 } = search
  for (const [path, date] of [
    ['/availableFrom', from],
    ['/availableTo', to]
  ] as const)
    if (date) dateOf(date, path)
  if (from && to) checkDates({ from, to }, now)
  const found = await candidates(sql, search, new Date(now), horizon(now), new Date(now))
  const placed = found
    .map((row) => ({ row, next: firstSlots(row, now)[0], asked: from || to ? firstSlots(row, now, { from, to }).length > 0 : true }))
    .filter(({ asked }) => asked)
    .map(({ row, next }) => ({ key: sortKey(sort, row, next), doctor: doctorOf(row, next) }))
    .sort((a, b) => compare(a.key, b.key))
  const after = search.cursor ? decodeCursor(search.cursor, isKey) : undefined
  const rest = after ? placed.filter(({ key }) => compare(key, after) > 0) : placed
  const page = rest.slice(0, limit)
  const last = page.at(-1)
  return { items: page.map(({ doctor }) => doctor), nextCursor: rest.length > limit && last ? encodeCursor(last.key) : null }
}

/** What decides the order, with the id behind it so that no two are equal. */
type Key = [number | string, string]
const isKey = (position: unknown[]): position is Key =>
  position.length === 2 && ['number', 'string'].includes(typeof position[0]) && typeof position[1] === 'string'
const NEVER = Number.MAX_SAFE_INTEGER
const sortKey = (sort: NonNullable<Search['sort']>, row: Row, next: Range | undefined): Key => [
  sort === 'price' ? row.priceAmount : sort === 'name' ? row.nameFolded : (next?.start ?? NEVER),
  row.id
]
const compare = ([a, aId]: Key, [b, bId]: Key): number => (a < b ? -1 : a > b ? 1 : aId < bId ? -1 : aId > bId ? 1 : 0)
