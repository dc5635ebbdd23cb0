import SQL from 'sql-template-strings'
import { type Db, maybeOne, rows } from '#platform/data/db'
import { cursorsOf } from '#platform/http/cursor'
import { Problem } from '#platform/http/problem'
import { instantText, maybeInstantText } from '#platform/http/schema'
import { burnt } from '../mails/model.ts'
import type { MailStatus } from './model.ts'

type Row = {
  id: string
  eventId: string
  event: string
  template: string
  appointmentId: string | null
  recipientId: string
  email: string | null
  status: MailStatus
  attempts: number
  lastError: string | null
  createdAt: Date
  dueAt: Date
  sentAt: Date | null
}

const page = 20
const cursors = cursorsOf('notifications', 'uuid')
const typeOf = (event: string) => (event.startsWith('healthmed.') ? event : `healthmed.${event}`)

/** What was or will be sent, the newest first. `to` is a whole address, `event` a type with or without prefix and version. */
export async function listNotifications(
  db: Db,
  filter: { status?: MailStatus; to?: string; event?: string; limit?: number; cursor?: string }
) {
  const { status = null, to = null, limit = page } = filter
  const event = filter.event ? typeOf(filter.event) : null
  const before = filter.cursor ? cursors.decode(filter.cursor)[0] : null
  const found = await rows<Row>(
    db,
    SQL`select m.id, m.event_id, m.event_type as event, m.template, m.appointment_id, m.recipient_id, p.email, m.status, m.attempts, m.last_error,
               m.created_at, m.due_at, m.sent_at
          from mails m left join people p on p.id = m.recipient_id
         where (${status}::text is null or m.status = ${status}) and (${before}::uuid is null or m.id < ${before}::uuid)
           and (${to}::text is null or m.recipient_id in (select id from people where lower(email) = lower(${to})))
           and (${event}::text is null or m.event_type = ${event} or regexp_replace(m.event_type, '\\.v\\d+$', '') = ${event})
         order by m.id desc limit ${limit + 1}::int`
  )
  const items = found.slice(0, limit).map(toNotification)
  const last = items.at(-1)
  return { items, nextCursor: found.length > limit && last ? cursors.encode([last.id]) : null }
}

/** Puts a mail in line again, also one that was sent; it bears the same Message-ID. Throws `not_found`, or `conflict` where it cannot be made again. */
export async function resend(db: Db, id: string, now: Date) {
  const row = await maybeOne<Row>(
    db,
    SQL`with m as (
          update mails set status = 'pending', due_at = ${now}::timestamptz, lease_token = null,
                 attempts = case when status = 'pending' then attempts else 0 end
           where id = ${id} and status in ('pending', 'sent', 'failed') and not (template = any(${burnt as string[]}::text[]) and data = '{}')
             and exists (select 1 from people where people.id = mails.recipient_id and people.email is not null)
          returning *)
        select m.id, m.event_id, m.event_type as event, m.template, m.appointment_id, m.recipient_id, p.email, m.status, m.attempts, m.last_error,
               m.created_at, m.due_at, m.sent_at
          from m left join people p on p.id = m.recipient_id`
  )
  if (row) return toNotification(row)
  const there = await maybeOne<{ status: MailStatus }>(db, SQL`select status from mails where id = ${id}`)
  if (!there) throw new Problem('not_found')
  throw new Problem('conflict', whyNot(there.status))
}

function whyNot(status: MailStatus): string {
  if (status === 'sending') return 'It is being sent at this moment'
  if (status === 'superseded') return 'A later change made it untrue'
  return 'Its token or its recipient is gone'
}

function toNotification({ email, dueAt, createdAt, sentAt, ...row }: Row) {
  const waits = row.status === 'pending' || row.status === 'sending'
  return {
    ...row,
    recipient: email ? maskEmail(email) : null,
    createdAt: instantText(createdAt),
    nextAttemptAt: waits ? instantText(dueAt) : null,
    sentAt: maybeInstantText(sentAt)
  }
}

/** `j***@example.com`: enough to recognise, too little to write to. */
export const maskEmail = (email: string): string => `${email.slice(0, 1)}***@${email.split('@').at(-1)}`
