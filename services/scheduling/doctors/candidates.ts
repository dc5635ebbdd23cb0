import SQL, { type SQLStatement } from 'sql-template-strings'
import { type Db, rows } from '#platform/db'
import type { OfferColumns } from '../slots/read.ts'
import { fold } from './model.ts'

/** A listed doctor with everything that slots follow from. `bound` is an instant before which none is free, as it was in that `generation`. */
export type Candidate = OfferColumns & {
  id: string
  name: string
  nameFolded: string
  crm: string
  specialties: string[]
  priceAmount: number
  priceCurrency: string
  bio: string | null
  bound: Date
  thenAt: Date | null
  generation: number
}

/** Which listed doctors; every filter is optional. `unknown` are those of whom it is not known what comes after the next slot. */
export type Filter = {
  unknown?: boolean | undefined
  specialty?: string | undefined
  q?: string | undefined
  maxPrice?: number | undefined
  id?: string | undefined
}
/** What the database itself can put doctors in order by. */
export type Order = 'bound' | 'price' | 'name'
/** A place in an order: what decides, Unix ms for a bound, and the id behind it. */
export type Place = [number | string, string]

/** The place of a doctor in an order. */
export const placeOf = (order: Order, row: Candidate): Place => [
  order === 'price' ? row.priceAmount : order === 'name' ? row.nameFolded : row.bound.getTime(),
  row.id
]

/** The span that busy times are read for. */
type Span = { now: Date; until: Date }

/** Where to go on: after a place, or without those who were seen. Bounds move while they are walked, so only the latter misses nobody there. */
export type From = { after: Place | undefined; seen: string[] }

/** The next `limit` listed doctors of an order, with rules, exceptions and what is claimed in a span, in one statement. */
export const candidates = (db: Db, filter: Filter, order: Order, from: From, limit: number, span: Span) =>
  rows<Candidate>(db, withTimes(chosen(filter).append(ordered(order, from, limit)), order, span))

/** Each set of filters is a statement of its own, so that the planner knows which of them there are. */
function chosen({ unknown, specialty, q, maxPrice, id }: Filter): SQLStatement {
  const statement = SQL`select d.*, n.at as bound, n.then_at, n.generation from doctors d join next_free n on n.doctor_id = d.id where d.listed`
  if (unknown) statement.append(SQL` and n.then_at is null`)
  if (id !== undefined) statement.append(SQL` and d.id = ${id}::uuid`)
  if (specialty !== undefined) statement.append(SQL` and d.specialties @> array[${specialty}::text]`)
  if (maxPrice !== undefined) statement.append(SQL` and d.price_amount <= ${maxPrice}::int`)
  if (q !== undefined) statement.append(SQL` and d.name_folded like ${likeOf(q)}::text`)
  return statement
}

const likeOf = (q: string): string =>
  `%${fold(q)
    .trim()
    .replace(/[\\%_]/g, '\\$&')
    .replace(/\s+/g, '%')}%`

function ordered(order: Order, { after, seen }: From, limit: number): SQLStatement {
  const [key, id] = after ?? []
  if (order === 'price')
    return (after ? SQL` and (d.price_amount, d.id) > (${key}::int, ${id}::uuid)` : SQL``).append(
      SQL` order by d.price_amount, d.id limit ${limit}`
    )
  if (order === 'name')
    return (after ? SQL` and (d.name_folded collate "C", d.id) > (${key}::text, ${id}::uuid)` : SQL``).append(
      SQL` order by d.name_folded collate "C", d.id limit ${limit}`
    )
  return (seen.length > 0 ? SQL` and n.doctor_id <> all(${seen}::uuid[])` : SQL``).append(SQL` order by n.at, n.doctor_id limit ${limit}`)
}

const withTimes = (doctors: SQLStatement, order: Order, { now, until }: Span): SQLStatement =>
  SQL`with d as materialized (`
    .append(doctors)
    .append(SQL`)
  select d.id, d.name, d.name_folded, d.crm, d.specialties, d.price_amount, d.price_currency, d.bio, d.timezone, d.slot_minutes, d.buffer_minutes,
         d.min_notice_minutes, d.booking_window_days, d.rules, d.bound, d.then_at, d.generation,
         coalesce(e.exceptions, '[]') as exceptions, coalesce(a.busy, '[]') as busy
    from d
    left join lateral (
           select jsonb_agg(jsonb_build_object('kind', kind, 'from', from_date, 'to', to_date, 'start', start_time, 'end', end_time)) as exceptions
             from exceptions
            where doctor_id = d.id and to_date >= ${now}::timestamptz::date - 1 and from_date <= ${until}::timestamptz::date + 1) e on true
    left join lateral (
           select jsonb_agg(jsonb_build_array(extract(epoch from lower(during)) * 1000, extract(epoch from upper(during)) * 1000,
                                              extract(epoch from upper(doctor_during)) * 1000, status = 'held')) as busy
             from appointments
            where doctor_id = d.id and status in ('held', 'requested', 'confirmed')
              and not (status = 'held' and expires_at <= ${now}::timestamptz and waitlist_id is null)
              and doctor_during && tstzrange(${now}::timestamptz - interval '1 day', ${until}::timestamptz + interval '1 day')) a on true`)
    .append(
      order === 'price'
        ? SQL` order by d.price_amount, d.id`
        : order === 'name'
          ? SQL` order by d.name_folded collate "C", d.id`
          : SQL` order by d.bound, d.id`
    )
