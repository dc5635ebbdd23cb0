import type { Db, Sql } from '#platform/data/db'
import { type Answer, idempotent } from '#platform/http/idempotency'
import type { Caller } from '#platform/identity/caller'
import { keepBody, openBody } from '../privacy/reasons.ts'
import type { Appointment } from './model.ts'

/** The parts of a write request that its answer depends on. `set` is where the status and the headers of the answer go. */
export type WriteRequest = {
  request: Request
  who: Caller
  body: unknown
  set: { status?: unknown; headers: Record<string, unknown> }
}

/** Runs a write once per idempotency key and sets the status and headers of its answer. `created` overrides both for a new appointment. */
export async function answerOnce(
  sql: Sql,
  { request, who, body, set }: WriteRequest,
  write: (db: Db) => Promise<Appointment>,
  created?: (appointment: Appointment) => Pick<Answer, 'status' | 'headers'>
) {
  const attempt = { callerId: who.id, key: request.headers.get('idempotency-key'), route: new URL(request.url).pathname, body }
  const once = async (db: Db): Promise<Answer> => {
    const appointment = await write(db)
    return { status: 200, headers: {}, ...created?.(appointment), body: appointment }
  }
  const result = await idempotent(sql, attempt, once, { keep: keepBody, open: openBody })
  set.status = result.status
  Object.assign(set.headers, result.headers)
  if (result.status < 300) set.headers.etag = `"${(result.body as Appointment).version}"`
  return result.body as Appointment
}
