import SQL from 'sql-template-strings'
import { maybeOne, type Sql, transaction } from '#platform/data/db'
import { Problem } from '#platform/http/problem'
import { instantOf, instantText } from '#platform/http/schema'
import type { Caller } from '#platform/identity/caller'
import type { BookingRules } from '../appointments/book.ts'
import { requireActive } from '../people/active.ts'
import { requireVerified } from '../people/verified.ts'
import { passOn } from '../waitlist/offer.ts'
import { claimSlot } from './claim.ts'

const HOLD_MINUTES = 5

/** Holds a slot for a patient for 5 minutes. Throws `email_not_verified`, what `claimSlot` throws, and `hold_limit` while another hold is open. */
export async function hold(
  sql: Sql,
  patient: Caller,
  input: { doctorId: string; start: string },
  { now: instant, limits, verification, client }: BookingRules
) {
  const start = instantOf(input.start, '/start').epochMilliseconds
  const now = instant.epochMilliseconds
  await requireVerified(sql, patient, verification)
  const expiresAt = new Date(now + HOLD_MINUTES * 60_000)
  const open = await maybeOne(
    sql,
    SQL`select 1 as open from appointments where patient_id = ${patient.id}::uuid and status = 'held' and waitlist_id is null
           and expires_at > ${new Date(now)}::timestamptz`
  )
  if (open) throw new Problem('hold_limit')
  const row = await claimSlot(sql, { doctorId: input.doctorId, start, now, limits }, () => ({
    patient,
    status: 'held',
    reason: null,
    expiresAt,
    client
  }))
  return { id: row.id, start: instantText(row.start), end: instantText(row.end), expiresAt: instantText(expiresAt) }
}

/** Releases a hold before it expires. Throws `not_found` if it is not the caller's or no longer a hold. */
export async function release(sql: Sql, patient: Caller, id: string, now: Temporal.Instant): Promise<void> {
  await transaction(sql, async (tx) => {
    await requireActive(tx, patient)
    const released = await maybeOne<{ doctorId: string; start: Date }>(
      tx,
      SQL`update appointments set status = 'released', updated_at = ${new Date(now.epochMilliseconds)}
           where id = ${id}::uuid and patient_id = ${patient.id}::uuid and status = 'held'
       returning doctor_id, lower(during) as start`
    )
    if (!released) throw new Problem('not_found')
    await passOn(tx, { doctorId: released.doctorId, start: released.start.getTime() }, now)
  })
}
