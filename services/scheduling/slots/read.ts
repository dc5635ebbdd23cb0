import SQL from 'sql-template-strings'
import { batchedOn } from '#platform/data/batch'
import { type Db, rows } from '#platform/data/db'
import { type Exception, minutesOf, type Rule } from '../schedule/windows.ts'
import type { AvailabilityRules, Busy } from './slots.ts'
import { type Day, dayOf } from './zone.ts'

/** A rule as it is stored and published. */
export type StoredRule = { weekday: number; start: string; end: string; validFrom?: string; validUntil?: string }
/** An exception as a row of the database. */
export type StoredException = { kind: 'closed' | 'open'; from: string; to: string; start: string | null; end: string | null }
/** The columns of a row that availability is computed from. */
export type AvailabilityColumns = {
  timezone: string
  slotMinutes: number
  bufferMinutes: number
  minNoticeMinutes: number
  bookingWindowDays: number
  rules: StoredRule[]
  exceptions: StoredException[]
  /** `[start, end, end with its buffer]` in Unix ms, and whether it is a hold. */
  busy: [number, number, number, boolean?][]
}

/** What booking reads of a doctor: availability, claimed times and terms. */
export type Calendar = {
  id: string
  name: string
  crm: string
  offer: AvailabilityRules
  busy: Busy[]
  price: { amount: number; currency: string }
  scheduleVersion: number
  cancellationNoticeMinutes: number
  answerWithinMinutes: number
  autoConfirm: boolean
  specialties: string[]
}

type Row = AvailabilityColumns & {
  id: string
  name: string
  crm: string
  priceAmount: number
  priceCurrency: string
  scheduleVersion: number
  cancellationNoticeMinutes: number
  answerWithinMinutes: number
  autoConfirm: boolean
  specialties: string[]
}

const ALWAYS: Day = -1e9
const FOREVER: Day = 1e9

/** Stored rules and exceptions in minutes and days, as the slot computation uses them. */
export const availabilityOf = (row: AvailabilityColumns): AvailabilityRules => ({
  timezone: row.timezone,
  slotMinutes: row.slotMinutes,
  bufferMinutes: row.bufferMinutes,
  minNoticeMinutes: row.minNoticeMinutes,
  bookingWindowDays: row.bookingWindowDays,
  rules: row.rules.map(ruleOf),
  exceptions: row.exceptions.map(exceptionOf)
})

// search/ still uses the former names
export { type AvailabilityColumns as OfferColumns, availabilityOf as offerOf }

/** A rule in minutes and days. */
export const ruleOf = (rule: StoredRule): Rule => ({
  weekday: rule.weekday,
  start: minutesOf(rule.start),
  end: minutesOf(rule.end),
  validFrom: rule.validFrom ? dayOf(rule.validFrom) : ALWAYS,
  validUntil: rule.validUntil ? dayOf(rule.validUntil) : FOREVER
})

const exceptionOf = ({ kind, from, to, start, end }: StoredException): Exception => ({
  kind,
  from: dayOf(from),
  to: dayOf(to),
  start: start ? minutesOf(start) : 0,
  end: end ? minutesOf(end) : 1440
})

/** Claimed times as the slot computation uses them. */
export const busyOf = (row: Pick<AvailabilityColumns, 'busy'>): Busy[] =>
  row.busy.map(([start, end, bufferedEnd]) => ({ start, end, bufferedEnd }))
/** Claimed times without holds, which expire. */
export const bookedOf = ({ busy }: Pick<AvailabilityColumns, 'busy'>): Busy[] => busyOf({ busy: busy.filter(([, , , isHold]) => !isHold) })

/** The period of a calendar to read, as of `now`. `except` is an appointment whose time counts as free, for a move. */
type CalendarQuery = { from: Date; to: Date; now: Date; except?: string | null }
type DoctorCalendarQuery = CalendarQuery & { doctorId: string }

/**
 * Reads the calendar of a listed doctor; undefined if the doctor is not listed. Calls at the same time share one statement. An expired hold does not
 * count. An expired waitlist offer counts until the job has offered the slot to the next patient in the waitlist, so that nobody is overtaken.
 */
export const readCalendar = (db: Db, doctorId: string, query: CalendarQuery): Promise<Calendar | undefined> =>
  together(db, { doctorId, ...query })
/** Above 500 queries a second, one statement for several of them saves more than these few ms of waiting cost. */
const APART_MS = 2
const together = batchedOn(readCalendars, { apartMs: APART_MS })

async function readCalendars(db: Db, queries: DoctorCalendarQuery[]): Promise<(Calendar | undefined)[]> {
  const asked = queries.map(({ doctorId, from, to, now, except }, nth) => ({ nth, doctor_id: doctorId, from, to, now, except }))
  const found = await rows<Row & { nth: number }>(
    db,
    // as one document, whose length no plan depends on: with arrays PostgreSQL plans anew for each call, which takes as long as the answer.
    // `limit 1` keeps the plan to one look into the index for each
    SQL`select asked.nth, d.id, d.name, d.crm, d.specialties, d.price_amount, d.price_currency, d.timezone, d.slot_minutes, d.buffer_minutes,
               d.min_notice_minutes, d.booking_window_days, d.cancellation_notice_minutes, d.answer_within_minutes, d.auto_confirm,
               d.schedule_version, d.rules,
               coalesce((select jsonb_agg(jsonb_build_object('kind', e.kind, 'from', e.from_date, 'to', e.to_date, 'start', e.start_time, 'end', e.end_time))
                           from exceptions e
                          where e.doctor_id = asked.doctor_id and e.to_date >= asked."from"::date - 1 and e.from_date <= asked."to"::date + 1), '[]') as exceptions,
               coalesce((select jsonb_agg(jsonb_build_array(extract(epoch from lower(a.during)) * 1000, extract(epoch from upper(a.during)) * 1000,
                                                            extract(epoch from upper(a.doctor_during)) * 1000))
                           from appointments a
                          where a.doctor_id = asked.doctor_id and a.status in ('held', 'requested', 'confirmed')
                            and not (a.status = 'held' and a.expires_at <= asked.now and a.waitlist_id is null)
                            and a.id is distinct from asked."except"
                            and a.doctor_during && tstzrange(asked."from" - interval '1 day', asked."to" + interval '1 day')),
                        '[]') as busy
          from jsonb_to_recordset(${{ asked }}::jsonb -> 'asked') as asked(
                 nth int, doctor_id uuid, "from" timestamptz, "to" timestamptz, now timestamptz, "except" uuid)
               cross join lateral (select * from doctors where id = asked.doctor_id and listed limit 1) as d`
  )
  const calendars = new Map(found.map((row) => [row.nth, calendarOf(row)]))
  return queries.map((_, nth) => calendars.get(nth))
}

const calendarOf = (row: Row): Calendar => ({
  id: row.id,
  name: row.name,
  crm: row.crm,
  offer: availabilityOf(row),
  busy: busyOf(row),
  price: { amount: row.priceAmount, currency: row.priceCurrency },
  scheduleVersion: row.scheduleVersion,
  cancellationNoticeMinutes: row.cancellationNoticeMinutes,
  answerWithinMinutes: row.answerWithinMinutes,
  autoConfirm: row.autoConfirm,
  specialties: row.specialties
})
