import SQL from 'sql-template-strings'
import { batchedOn } from '#platform/data/batch'
import { type Db, run } from '#platform/data/db'
import { bell } from '#platform/events/commit-signal'
import type { Event } from '#platform/events/events'
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
  await Promise.all(mails.map((mail) => write(tx, { cause, mail })))
  composed.ring(tx)
  const later = mails.flatMap(({ recipientId, appointment }) =>
    appointment && appointment.version > 1 ? [{ recipientId, ...appointment }] : []
  )
  await Promise.all(later.map((mail) => callForward(tx, { ...mail, now: cause.time })))
}

const write = batchedOn(async (tx: Db, mails: { cause: Cause; mail: NewMail }[]) => {
  const items = mails.map(({ cause, mail: { template, recipientId, appointment, data } }) => ({
    id: Bun.randomUUIDv7(),
    event_id: cause.id,
    event_type: cause.type,
    // to the millisecond, as every clock here: rounded up it would be due a moment after it is looked for
    event_at: new Date(cause.time),
    template,
    recipient_id: recipientId,
    appointment_id: appointment?.id ?? null,
    version: appointment?.version ?? null,
    data,
    request_id: cause.requestid,
    traceparent: cause.traceparent
  }))
  await run(
    tx,
    SQL`insert into mails (id, event_id, event_type, event_at, template, recipient_id, appointment_id, version, data, request_id, traceparent,
                           due_at, created_at)
        select m.*, m.event_at, now()
          from jsonb_to_recordset(${{ items }}::jsonb -> 'items')
               as m(id uuid, event_id uuid, event_type text, event_at timestamptz, template text, recipient_id uuid, appointment_id uuid, version int,
                    data jsonb, request_id text, traceparent text)
        on conflict on constraint one_mail_each do nothing`
  )
  return mails
})

/**
 * Lets earlier mails that the server refused come up now, and not when their wait is over: the newer ones behind them take their place. They are looked
 * up by their appointment first: all that wait may be many.
 */
const callForward = batchedOn(async (tx: Db, mails: { id: string; recipientId: string; version: number; now: string }[]) => {
  await run(
    tx,
    SQL`with earlier as materialized (
          select m.id, a.now_at::timestamptz
            from unnest(${mails.map(({ id }) => id)}::uuid[], ${mails.map(({ recipientId }) => recipientId)}::uuid[],
                        ${mails.map(({ version }) => version)}::int[], ${mails.map(({ now }) => new Date(now).toISOString())}::text[])
                 as a(appointment_id, recipient_id, version, now_at)
                 cross join lateral (select id from mails
                                      where appointment_id = a.appointment_id and recipient_id = a.recipient_id and version < a.version offset 0) as m),
        -- in the order in which delivery locks them, too
        held as materialized (
          select id from mails where id in (select id from earlier) and status = 'pending' and attempts > 0 order by id for update)
        update mails set due_at = least(due_at, earlier.now_at)
          from earlier join held using (id) where mails.id = earlier.id`,
    { plan: 'each time' }
  )
  return mails
})

/**
 * Empties the mails of somebody who was erased, and takes what people wrote about them out of those of others; what has not left to them never will.
 */
export async function scrubMailsOf(tx: Db, personId: string): Promise<void> {
  await run(
    tx,
    SQL`update mails set data = '{}', last_error = null, lease_token = null,
               status = case when status in ('pending', 'sending') then 'superseded' else status end
         where recipient_id = ${personId}`
  )
  await run(
    tx,
    SQL`update mails m set data = m.data #- '{appointment,statusReason}' #- '{appointment,sealedStatusReason}'
          from appointments a
         where a.id = m.appointment_id and ${personId}::uuid in (a.doctor_id, a.patient_id) and coalesce(m.data #>> '{appointment,statusReason}', m.data #>> '{appointment,sealedStatusReason}') is not null
           and m.data #>> '{appointment,actor,role}' is distinct from 'system'`
  )
}
