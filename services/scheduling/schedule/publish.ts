import SQL from 'sql-template-strings'
import { type Db, maybeOne, one, rows, run, type Sql, transaction } from '#platform/data/db'
import { Problem } from '#platform/http/problem'
import { dateOf } from '#platform/http/schema'
import type { Caller } from '#platform/identity/caller'
import { ensureDoctor } from '../doctors/profile.ts'
import { requireActive } from '../people/active.ts'
import { type AvailabilityColumns, availabilityOf, ruleOf, type StoredRule } from '../slots/read.ts'
import { isCovered } from '../slots/slots.ts'
import { widening } from '../waitlist/widen.ts'
import type { ScheduleInput } from './model.ts'
import { minutesOf } from './windows.ts'

/** The caller's weekly hours. */
export async function readSchedule(sql: Sql, doctor: Caller): Promise<{ slotMinutes: number | null; rules: StoredRule[] }> {
  const found = await maybeOne<{ slotMinutes: number | null; rules: StoredRule[] }>(
    sql,
    SQL`select slot_minutes, rules from doctors where id = ${doctor.id}`
  )
  return found ?? { slotMinutes: null, rules: [] }
}

/**
 * Replaces the weekly hours and tells which appointments of the future now lie outside of them; those stay as they are.
 * Throws `schedule_overlap`, `invalid_window`, `validation_failed`.
 */
export async function publishSchedule(sql: Sql, doctor: Caller, input: ScheduleInput, now: Temporal.Instant) {
  checkRules(input.rules)
  return transaction(sql, async (tx) => {
    await requireActive(tx, doctor)
    await ensureDoctor(tx, doctor)
    // FOR UPDATE by its nature: a booking that holds the row FOR SHARE is over before the hours change
    await widening(tx, doctor.id, now, () =>
      run(
        tx,
        SQL`update doctors set slot_minutes = ${input.slotMinutes}, rules = ${input.rules as never}, schedule_version = schedule_version + 1
             where id = ${doctor.id}`
      )
    )
    return { slotMinutes: input.slotMinutes, rules: input.rules, conflicts: await conflictsOf(tx, doctor.id, now) }
  })
}

/** Refuses windows that are empty and windows of one weekday that overlap while both are in force. */
export function checkRules(rules: StoredRule[]): void {
  for (const [index, rule] of rules.entries()) {
    checkWindow(rule)
    for (const [name, date] of [
      ['validFrom', rule.validFrom],
      ['validUntil', rule.validUntil]
    ] as const) {
      if (date) dateOf(date, `/rules/${index}/${name}`)
    }
    if (rule.validFrom && rule.validUntil && rule.validUntil < rule.validFrom)
      throw new Problem('invalid_window', 'A rule must be valid for a day at least')
  }
  const known = rules.map(ruleOf)
  for (const [index, a] of known.entries()) {
    const overlaps = (b: typeof a) =>
      a.weekday === b.weekday && a.start < b.end && b.start < a.end && a.validFrom <= b.validUntil && b.validFrom <= a.validUntil
    if (known.slice(index + 1).some(overlaps)) throw new Problem('schedule_overlap')
  }
}

/** Refuses a window that does not end after it starts. */
export function checkWindow({ start, end }: { start: string; end: string }): void {
  if (minutesOf(end) <= minutesOf(start)) throw new Problem('invalid_window')
}

/** The appointments of the future that the doctor's hours, as they now are, do not hold. */
export async function conflictsOf(tx: Db, doctorId: string, now: Temporal.Instant): Promise<string[]> {
  const at = new Date(now.epochMilliseconds)
  const availability = await one<AvailabilityColumns>(
    tx,
    SQL`select timezone, coalesce(slot_minutes, 0) as slot_minutes, buffer_minutes, min_notice_minutes, booking_window_days, rules,
               coalesce((select jsonb_agg(jsonb_build_object('kind', kind, 'from', from_date, 'to', to_date, 'start', start_time, 'end', end_time))
                           from exceptions where doctor_id = d.id and to_date >= ${at}::timestamptz::date - 1), '[]') as exceptions,
               '[]'::jsonb as busy
          from doctors d where id = ${doctorId}`
  )
  const booked = await rows<{ id: string; start: Date; end: Date }>(
    tx,
    SQL`select id, lower(during) as start, upper(during) as end from appointments
         where doctor_id = ${doctorId} and status in ('requested', 'confirmed') and lower(during) > ${at}
         order by lower(during)`
  )
  const hours = availabilityOf(availability)
  return booked.filter(({ start, end }) => !isCovered(hours, { start: start.getTime(), end: end.getTime() })).map(({ id }) => id)
}
