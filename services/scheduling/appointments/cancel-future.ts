import SQL from 'sql-template-strings'
import { type Db, rows } from '#platform/data/db'
import { apply } from './change.ts'
import { lockAppointment } from './queries.ts'

/** Cancels a person's future appointments as `system`. The events inform both parties. */
export async function cancelFuture(tx: Db, personId: string, reason: string, now: Temporal.Instant): Promise<void> {
  const ahead = await rows<{ id: string }>(
    tx,
    SQL`select id from appointments
         where (doctor_id = ${personId}::uuid or patient_id = ${personId}::uuid) and status in ('requested', 'confirmed')
           and lower(during) > ${new Date(now.epochMilliseconds)}::timestamptz
         order by id`
  )
  for (const { id } of ahead) {
    const row = await lockAppointment(tx, id, null)
    if (row && (row.status === 'requested' || row.status === 'confirmed'))
      await apply(tx, 'cancel', row, { id: null, role: 'system' }, reason, now)
  }
}
