import SQL from 'sql-template-strings'
import { bell } from '#platform/bell'
import { type Db, run } from '#platform/db'
import type { Event } from '#platform/events'
import type { MailData, Template } from './model.ts'

/** A mail to write. */
export type NewMail = { template: Template; recipientId: string; appointment?: { id: string; version: number }; data: MailData }
/** What caused a mail: an event, or a reminder that came due. */
export type Cause = Pick<Event, 'id' | 'time' | 'requestid' | 'traceparent'> & { type: string }

/** Rings for mails that were written. */
export const composed = bell()

/** Writes mail rows, once for each cause, recipient and template. */
export async function enqueue(tx: Db, cause: Cause, mails: NewMail[]): Promise<void> {
  if (mails.length === 0) return
  const items = mails.map(({ template, recipientId, appointment, data }) => ({
    id: Bun.randomUUIDv7(),
    template,
    recipient_id: recipientId,
    appointment_id: appointment?.id ?? null,
    version: appointment?.version ?? null,
    data
  }))
  await run(
    tx,
    SQL`insert into mails (id, event_id, event_type, event_at, template, recipient_id, appointment_id, version, data, request_id, traceparent,
                           due_at, created_at)
        select m.id, ${cause.id}::uuid, ${cause.type}, ${cause.time}::timestamptz, m.template, m.recipient_id, m.appointment_id, m.version, m.data,
               ${cause.requestid}, ${cause.traceparent}, ${cause.time}::timestamptz, now()
          from jsonb_to_recordset(${{ items }}::jsonb -> 'items')
               as m(id uuid, template text, recipient_id uuid, appointment_id uuid, version int, data jsonb)
        on conflict on constraint one_mail_each do nothing`
  )
  composed.ring(tx)
  for (const { recipientId, appointment } of mails) if (appointment) await callForward(tx, recipientId, appointment, cause.time)
}

/**
 * Lets earlier mails that the server refused come up now, and not when their wait is over: the newer ones behind them take their place. They are looked
 * up by their appointment first: all that wait may be many.
 */
async function callForward(tx: Db, recipientId: string, { id, version }: { id: string; version: number }, now: string): Promise<void> {
  if (version === 1) return
  await run(
    tx,
    SQL`with earlier as materialized (
          select id from mails where appointment_id = ${id} and recipient_id = ${recipientId} and version < ${version}::int)
        update mails set due_at = least(due_at, ${now}::timestamptz)
         where id in (select id from earlier) and status = 'pending' and attempts > 0`
  )
}

/** Empties the mails of somebody who was erased, and what they wrote in those of others; what has not left to them never will. */
export async function scrubMailsOf(tx: Db, personId: string): Promise<void> {
  await run(
    tx,
    SQL`update mails set data = '{}', last_error = null,
               status = case when status in ('pending', 'sending') then 'superseded' else status end
         where recipient_id = ${personId}`
  )
  await run(
    tx,
    SQL`update mails m set data = m.data #- '{appointment,statusReason}'
          from appointments a
         where a.id = m.appointment_id and ${personId}::uuid in (a.doctor_id, a.patient_id) and m.data #>> '{appointment,statusReason}' is not null`
  )
}
