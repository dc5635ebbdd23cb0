import SQL from 'sql-template-strings'
import { type Db, inQueue, rows, run, type Sql } from '#platform/data/db'
import { burnt, type MailData, type Template } from '../mails/model.ts'
import type { Person } from '../people/queries.ts'

/** A claimed mail with all that is known of it at this moment. */
export type Claimed = {
  id: string
  eventId: string
  eventType: string
  eventAt: Date
  template: Template
  appointmentId: string | null
  recipientId: string
  version: number | null
  data: MailData
  attempts: number
  requestId: string
  traceparent: string
  recipient: Person | null
  doctor: Pick<Person, 'name' | 'crm'> | null
  patient: Pick<Person, 'name'> | null
  newestVersion: number | null
  newestStatus: string | null
  newestStart: Date | null
  laterSent: boolean
  laterWaits: boolean
}

/** How long a claim lasts unless it is renewed: after a crash another process goes on then. */
export const LEASE_SECONDS = 15

/*
 * Mails of one appointment are read by its id alone, behind `offset 0`, and what is asked of them besides is asked outside: else the planner takes the
 * index of all that wait, or of all that the doctor ever got, where its statistics are of a moment when those were few.
 */

/**
 * Claims mails that are due, the oldest first: new ones, refused ones whose wait is over, and those of a process that died. Of one appointment and
 * recipient only the earliest is to be had, so mails leave in the order of the changes however many processes send; a reminder tells of no change and
 * passes by what waits for its next try. A claim does not wait for the disk: what comes of it does. It looks at what was due at `from` or later, since
 * what has left lately stands in the index before that until the next vacuum.
 */
export const claim = (sql: Sql, worker: string, limit: number, now: Date, from: Date): Promise<{ id: string; wasDueAt: Date }[]> =>
  inQueue<{ id: string; wasDueAt: Date }>(
    sql,
    SQL`with candidate as materialized (
          select m.id, m.due_at from mails m
           where m.status in ('pending', 'sending') and m.due_at between ${from} and ${now}
             and not exists (select 1 from (select * from mails where appointment_id = m.appointment_id offset 0) e
                              where e.recipient_id = m.recipient_id and e.status in ('pending', 'sending') and (e.version, e.id) < (m.version, m.id)
                                and not (m.template in ('reminder_24h', 'reminder_1h') and e.status = 'pending' and e.due_at > ${now}))
           order by m.due_at, m.id limit ${limit} for update of m skip locked)
        update mails set status = 'sending', attempts = attempts + 1, lease_token = ${worker}::uuid,
                         due_at = ${now}::timestamptz + make_interval(secs => ${LEASE_SECONDS})
          from candidate where mails.id = candidate.id
        returning mails.id, candidate.due_at as was_due_at`
  )

/** Reads claimed mails with the newest state of their people and appointments. */
export const readClaimed = (db: Db, ids: string[]) =>
  rows<Claimed>(
    db,
    SQL`select m.id, m.event_id, m.event_type, m.event_at, m.template, m.appointment_id, m.recipient_id, m.version, m.data, m.attempts, m.request_id, m.traceparent,
               coalesce(m.data -> 'farewell', to_jsonb(r)) as recipient, to_jsonb(d) as doctor, to_jsonb(p) as patient,
               a.version as newest_version, a.status as newest_status, a.start_at as newest_start,
               coalesce(later.sent, false) as later_sent, coalesce(later.waits, false) as later_waits
          from mails m
          left join lateral (
                 select bool_or(l.status in ('sent', 'sending')) as sent, bool_or(l.status = 'pending') as waits
                   from (select * from mails where appointment_id = m.appointment_id offset 0) l
                  where l.recipient_id = m.recipient_id and l.version > m.version) later on true
          left join appointments a on a.id = m.appointment_id
          left join people r on r.id = m.recipient_id
          left join people d on d.id = coalesce(a.doctor_id, (m.data #>> '{offer,doctorId}')::uuid)
          left join people p on p.id = a.patient_id
         where m.id = any(${ids}::uuid[]) order by m.id`,
    { plan: 'each time' }
  )

/*
 * Whatever changes several mails at once locks them by rising id first: two statements that took them in different orders would each wait for the other,
 * and one of them would not be done. They are found by their ids and by whose they are, which stands in a mail only while it is being sent.
 */

/** Holds on to the claims of mails that are still being sent. */
export const renew = (db: Db, worker: string, ids: string[], now: Date) =>
  run(
    db,
    SQL`with held as materialized (
          select id from mails where id = any(${ids}::uuid[]) and lease_token = ${worker}::uuid order by id for update)
        update mails set due_at = ${now}::timestamptz + make_interval(secs => ${LEASE_SECONDS}) from held where mails.id = held.id`
  )

/** Gives claims back as if they had never been tried: the server was not there. */
export const giveBack = (db: Db, worker: string, ids: string[], now: Date) =>
  run(
    db,
    SQL`with held as materialized (
          select id from mails where id = any(${ids}::uuid[]) and lease_token = ${worker}::uuid order by id for update)
        update mails set status = 'pending', attempts = attempts - 1, lease_token = null, due_at = least(due_at, ${now})
          from held where mails.id = held.id`
  )

/** How an attempt ended. `refused`: the server may take it later. */
export type Outcome =
  | { result: 'sent'; reply: string }
  | { result: 'refused'; reply: string; tryAgainAt: Date }
  | { result: 'failed'; reply: string }
  | { result: 'superseded'; reply: string }

/** An attempt that ended, and when. */
export type Ended = { id: string; outcome: Outcome; now: Date }

const burntTemplates = burnt as string[]

/**
 * Writes down how attempts ended, all in one statement and one commit. Gives for each whether it was so: false where another process has taken the mail
 * over meanwhile, and then nothing is changed.
 */
export async function settle(db: Db, worker: string, ended: Ended[]): Promise<boolean[]> {
  const ids = ended.map(({ id }) => id)
  const dueAt = ended.map(({ outcome, now }) => (outcome.result === 'refused' ? outcome.tryAgainAt : now).toISOString())
  const settled = await rows<{ id: string }>(
    db,
    SQL`with held as materialized (
          select id from mails where id = any(${ids}::uuid[]) and lease_token = ${worker}::uuid order by id for update),
        ended as materialized (
          select e.id, e.result, e.reply, e.due_at::timestamptz, e.at::timestamptz
            from unnest(${ids}::uuid[], ${ended.map(({ outcome }) => outcome.result)}::text[],
                        ${ended.map(({ outcome }) => outcome.reply.replaceAll('\0', ''))}::text[], ${dueAt}::text[],
                        ${ended.map(({ now }) => now.toISOString())}::text[]) as e(id, result, reply, due_at, at)),
        settled as (
          update mails set status = case e.result when 'refused' then 'pending' else e.result end, lease_token = null,
                 -- newer ones wait behind it: it comes up again at once, and leaves its place to them
                 due_at = case when exists (select 1 from (select * from mails m where m.appointment_id = mails.appointment_id offset 0) l
                                             where l.recipient_id = mails.recipient_id and l.version > mails.version and l.status = 'pending')
                               then e.at else e.due_at end,
                 sent_at = case when e.result = 'sent' then e.at else sent_at end,
                 last_error = case when e.result = 'sent' then null else e.reply end,
                 data = case when template = any(${burntTemplates}::text[]) and e.result <> 'refused' then '{}' else data end
            from ended e join held using (id)
           where mails.id = e.id
          returning mails.id, mails.attempts, e.at, e.result, e.reply),
        logged as (
          insert into deliveries (mail_id, attempt, at, outcome, reply) select id, attempts, at, result, reply from settled)
        select id from settled`,
    { plan: 'each time' }
  )
  const ours = new Set(settled.map(({ id }) => id))
  return ended.map(({ id }) => ours.has(id))
}

/** How many mails wait, and how old the oldest that is due is, in seconds. */
export const backlog = (db: Db, now: Date) =>
  rows<{ waiting: number; oldest: number }>(
    db,
    SQL`select count(*) as waiting, coalesce(extract(epoch from ${now}::timestamptz - min(due_at) filter (where due_at <= ${now})), 0)::float8 as oldest
          from mails where status in ('pending', 'sending')`
  )
