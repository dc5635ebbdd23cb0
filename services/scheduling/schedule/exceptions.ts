import SQL from 'sql-template-strings'
import { type Db, maybeOne, rows, run, type Sql, transaction } from '#platform/data/db'
import { cursorsOf } from '#platform/http/cursor'
import { Problem } from '#platform/http/problem'
import { dateOf, invalid } from '#platform/http/schema'
import type { Caller } from '#platform/identity/caller'
import { ensureDoctor } from '../doctors/profile.ts'
import { requireActive } from '../people/active.ts'
import { openReason, sealReason } from '../privacy/reasons.ts'
import { widening } from '../waitlist/widen.ts'
import type { ExceptionInput } from './model.ts'
import { checkWindow, conflictsOf } from './publish.ts'

type Row = {
  id: string
  kind: 'closed' | 'open'
  from: string
  to: string
  start: string | null
  end: string | null
  reason: string | null
}

const exceptionOf = ({ start, end, ...row }: Row) => {
  const { reason: stored, ...rest } = row
  const reason = openReason(stored, 'exceptions.reason', row.id)
  return { ...rest, ...(start !== null && end !== null && { start, end }), ...(reason !== null && { reason }) }
}

const MAX_EXCEPTIONS = 500

/** Adds an exception and tells which appointments of the future now lie outside of the hours. Throws `invalid_window`, `validation_failed`. */
export async function addException(sql: Sql, doctor: Caller, input: ExceptionInput, now: Temporal.Instant) {
  check(input)
  return transaction(sql, async (tx) => {
    await requireActive(tx, doctor)
    await ensureDoctor(tx, doctor)
    await run(tx, SQL`update doctors set schedule_version = schedule_version + 1 where id = ${doctor.id}`)
    const made = await widening(tx, doctor.id, now, () => insertException(tx, doctor.id, input, now))
    if (!made) throw new Problem('conflict', `At most ${MAX_EXCEPTIONS} exceptions; delete some that are past`)
    return { ...exceptionOf(made), conflicts: await conflictsOf(tx, doctor.id, now) }
  })
}

const insertException = (tx: Db, doctorId: string, input: ExceptionInput, now: Temporal.Instant, id = Bun.randomUUIDv7()) =>
  maybeOne<Row>(
    tx,
    SQL`insert into exceptions (id, doctor_id, kind, from_date, to_date, start_time, end_time, reason, created_at)
        select ${id}::uuid, ${doctorId}::uuid, ${input.kind}, ${input.from}::date, ${input.to}::date, ${input.start ?? null}::text,
               ${input.end ?? null}::text, ${sealReason(input.reason ?? null, 'exceptions.reason', id)}::text, ${new Date(now.epochMilliseconds)}::timestamptz
         where (select count(*) from exceptions where doctor_id = ${doctorId}::uuid) < ${MAX_EXCEPTIONS}
     returning id, kind, from_date as from, to_date as to, start_time as start, end_time as end, reason`
  )

function check(input: ExceptionInput): void {
  const from = dateOf(input.from, '/from')
  const to = dateOf(input.to, '/to')
  if (Temporal.PlainDate.compare(to, from) < 0) throw new Problem('invalid_window', 'An exception must not end before it starts')
  if (from.until(to).days > 366) throw new Problem('range_too_long', 'At most 366 days')
  if ((input.start === undefined) !== (input.end === undefined)) throw invalid(input.start ? '/end' : '/start', 'give both times or none')
  if (input.start !== undefined && input.end !== undefined) checkWindow({ start: input.start, end: input.end })
}

const cursors = cursorsOf('exceptions', 'date', 'uuid')

/** The caller's exceptions, by their first day. */
export async function listExceptions(
  sql: Sql,
  doctor: Caller,
  { limit = 20, cursor }: { limit?: number | undefined; cursor?: string | undefined }
) {
  const [fromDate, id] = cursor ? cursors.decode(cursor) : [null, null]
  const found = await rows<Row>(
    sql,
    SQL`select id, kind, from_date as from, to_date as to, start_time as start, end_time as end, reason from exceptions
         where doctor_id = ${doctor.id} and (${fromDate}::date is null or (from_date, id) > (${fromDate}::date, ${id}::uuid))
         order by from_date, id limit ${limit + 1}`
  )
  const page = found.slice(0, limit)
  const last = page.at(-1)
  return { items: page.map(exceptionOf), nextCursor: found.length > limit && last ? cursors.encode([last.from, last.id]) : null }
}

/** Takes an exception back. Throws `not_found`. */
export async function removeException(sql: Sql, doctor: Caller, id: string, now: Temporal.Instant): Promise<void> {
  await transaction(sql, async (tx) => {
    await requireActive(tx, doctor)
    await run(tx, SQL`update doctors set schedule_version = schedule_version + 1 where id = ${doctor.id}`)
    const gone = await widening(tx, doctor.id, now, () =>
      run(tx, SQL`delete from exceptions where id = ${id} and doctor_id = ${doctor.id}`)
    )
    if (gone === 0) throw new Problem('not_found')
  })
}
