import type { Sql } from '#platform/data/db'
import { cursorsOf } from '#platform/http/cursor'
import { Problem } from '#platform/http/problem'
import { dateOf, instantOf, instantText } from '#platform/http/schema'
import type { Caller } from '#platform/identity/caller'
import { openReason } from '../privacy/reasons.ts'
import { appointmentOf } from './model.ts'
import { findAppointment, historyOf, listAppointments } from './queries.ts'

/** What a list of one's own appointments can be asked for; dates and instants are those of the start. */
export type Filter = {
  status?: string | undefined
  from?: string | undefined
  to?: string | undefined
  sort?: 'start' | '-start' | undefined
  limit?: number | undefined
  cursor?: string | undefined
}

const cursors = {
  start: cursorsOf('appointments by start', 'instant', 'uuid'),
  '-start': cursorsOf('appointments by -start', 'instant', 'uuid')
}

/** The caller's own appointments, soonest first unless `-start` is asked for. */
export async function listOwn(sql: Sql, who: Caller, { status, from, to, sort = 'start', limit = 20, cursor }: Filter) {
  const found = await listAppointments(sql, {
    partyId: who.id,
    role: who.role,
    status: status ?? null,
    from: from === undefined ? null : edge(from, '/from', 0),
    to: to === undefined ? null : edge(to, '/to', 1),
    descending: sort === '-start',
    after: cursor ? cursors[sort].decode(cursor) : null,
    limit: limit + 1
  })
  const page = found.slice(0, limit)
  const last = page.at(-1)
  return {
    items: page.map(appointmentOf),
    nextCursor: found.length > limit && last ? cursors[sort].encode([last.start.toISOString(), last.id]) : null
  }
}

/** A date is its whole day in UTC, an instant is itself. */
function edge(value: string, path: string, daysAfter: number): Date {
  if (value.length > 10) return new Date(instantOf(value, path).epochMilliseconds)
  return new Date(`${dateOf(value, path).add({ days: daysAfter })}T00:00:00Z`)
}

/** One appointment of the caller's. Throws `appointment_not_found`. */
export async function readOwn(sql: Sql, who: Caller, id: string) {
  const row = await findAppointment(sql, id, who.id)
  if (!row) throw new Problem('appointment_not_found')
  return row
}

/** Who did what when, to an appointment of the caller's. Throws `appointment_not_found`. */
export async function readHistory(sql: Sql, who: Caller, id: string) {
  await readOwn(sql, who, id)
  const trail = await historyOf(sql, id)
  return trail.map(({ at, actorId, actorRole, action, fromStatus, toStatus, ...row }) => {
    const reason = openReason(row.reason, 'history.reason', id)
    return {
      at: instantText(at),
      actor: { id: actorId, role: actorRole },
      action,
      from: fromStatus,
      to: toStatus,
      ...(reason !== null && { reason })
    }
  })
}
