import SQL, { type SQLStatement } from 'sql-template-strings'
import { type Db, rows } from '#platform/data/db'
import { fold } from '../doctors/model.ts'
import type { OfferColumns } from '../slots/read.ts'
import type { Reach } from './reach.ts'

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
  /** Only who can be free on the dates that this stands for. */
  reach?: Reach | undefined
}
/** What the database itself can put doctors in order by; `none`: those who may have no free slot at all, by their ids. */
export type Order = 'bound' | 'none' | 'price' | 'name'
/** The place of a doctor without a free slot, in the order by the next one. */
export const NEVER = Number.MAX_SAFE_INTEGER
/** A place in an order: what decides, Unix ms for a bound, and the id behind it. */
export type Place = [number | string, string]

/** The place of a doctor in an order. */
export const placeOf = (order: Order, row: Candidate): Place => [
  order === 'price' ? row.priceAmount : order === 'name' ? row.nameFolded : order === 'none' ? NEVER : row.bound.getTime(),
  row.id
]

/** The span that busy times are read for. */
type Span = { now: Date; until: Date }

/** Where to go on: after a place, and without those who were seen. Bounds move while they are walked, so only the latter misses nobody there. */
export type From = { after: Place | undefined; seen: string[] }

/** The next `limit` listed doctors of an order, with rules, exceptions and what is claimed in a span, in one statement. */
export const candidates = (db: Db, filter: Filter, order: Order, from: From, limit: number, span: Span) =>
  rows<Candidate>(db, withTimes(chosen(filter, order, from.after).append(ordered(order, from, limit)), order, span))

/** Each set of filters is a statement of its own, so that the planner knows which of them there are. */
function chosen({ unknown, specialty, q, maxPrice, id, reach }: Filter, order: Order, after: Place | undefined): SQLStatement {
  const statement = SQL`select d.*, n.at as bound, n.then_at, n.generation from doctors d join `
    .append(order === 'bound' && after ? boundsAfter(after) : order === 'none' ? boundsOfNone() : SQL`next_free`)
    .append(SQL` n on n.doctor_id = d.id where d.listed`)
  if (unknown) statement.append(SQL` and n.then_at is null`)
  if (id !== undefined) statement.append(SQL` and d.id = ${id}::uuid`)
  if (specialty !== undefined) statement.append(SQL` and d.specialties @> array[${specialty}::text]`)
  if (maxPrice !== undefined) statement.append(SQL` and d.price_amount <= ${maxPrice}::int`)
  if (q !== undefined) statement.append(SQL` and d.name_folded like ${likeOf(q)}::text`)
  return reach ? statement.append(within(reach)) : statement
}

/**
 * The bounds after a place in their order, and those that say too little: whose doctor has not been looked at since something changed, or has a hold, which
 * a bound leaves out. All others before the place were looked at by the pages before, and their doctors have their next slot where their bound is.
 */
const boundsAfter = ([at, id]: Place): SQLStatement => {
  const start = new Date(at)
  return SQL`(
      select * from next_free where (at, doctor_id) > (${start}::timestamptz, ${id}::uuid)
       union all
      select * from next_free where then_at is null and (at, doctor_id) <= (${start}::timestamptz, ${id}::uuid)
       union all
      select * from next_free where then_at is not null and (at, doctor_id) <= (${start}::timestamptz, ${id}::uuid)
         and doctor_id in (select doctor_id from appointments where status = 'held'))`
}

/** The bounds of those who may have no free slot: it and the one after it are the same, or they say too little. */
const boundsOfNone = (): SQLStatement =>
  SQL`(
      select * from next_free where then_at is null or then_at = at
       union all
      select * from next_free where then_at <> at and doctor_id in (select doctor_id from appointments where status = 'held'))`

/** Leaves out who cannot be free on the dates of a search, without a look at what is booked: their window, next slot, hours or days off say so. */
function within({ now, begins, ends, weekdays, from, to, isClosed }: Reach): SQLStatement {
  const statement = SQL``
  if (ends) statement.append(SQL` and n.at < coalesce((${ends.zones}::jsonb ->> d.timezone)::timestamptz, ${ends.others}::timestamptz)`)
  // an hour for a change of the clock
  if (begins)
    statement.append(SQL`
      and ${now}::timestamptz + make_interval(hours => 24 * d.booking_window_days + 1)
          >= coalesce((${begins.zones}::jsonb ->> d.timezone)::timestamptz, ${begins.others}::timestamptz)`)
  if (isClosed)
    statement.append(SQL`
      and not exists (select 1 from exceptions e where e.doctor_id = d.id and e.kind = 'closed' and e.start_time is null
                         and e.from_date <= ${from}::date and e.to_date >= ${to}::date)`)
  statement.append(SQL`
      and (exists (select 1 from jsonb_array_elements(d.rules) r where (r->>'weekday')::int = any(${weekdays}::int[])
                      and coalesce(r->>'validFrom', '') <= ${to}::text and coalesce(r->>'validUntil', '9999-12-31') >= ${from}::text`)
  // the days between the first date and that weekday count too: the window may end before the first day on which the doctor works
  if (begins)
    statement.append(SQL`
                      and ${now}::timestamptz + make_interval(hours => 24 * d.booking_window_days + 1)
                          >= coalesce((${begins.zones}::jsonb ->> d.timezone)::timestamptz, ${begins.others}::timestamptz)
                             + make_interval(days => array_position(${weekdays}::int[], (r->>'weekday')::int) - 1)
                             + (r->>'start')::interval + make_interval(mins => d.slot_minutes)`)
  return statement.append(SQL`)
        or exists (select 1 from exceptions e where e.doctor_id = d.id and e.kind = 'open' and e.from_date <= ${to}::date and e.to_date >= ${from}::date))`)
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
  if (order === 'none') return (after ? SQL` and n.doctor_id > ${id}::uuid` : SQL``).append(SQL` order by n.doctor_id limit ${limit}`)
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
          : order === 'none'
            ? SQL` order by d.id`
            : SQL` order by d.bound, d.id`
    )
