import SQL from 'sql-template-strings'
import type { Mailbox } from '#platform/calendar'
import type { Caller, Role } from '#platform/caller'
import { maybeOne, run, type Sql, transaction } from '#platform/db'
import { Problem } from '#platform/problem'
import { listAppointments } from '../appointments/queries.ts'
import { requireActive } from '../people/active.ts'
import { calendarFile } from './file.ts'

const hash = (token: string) => new Bun.CryptoHasher('sha256').update(token).digest('base64url')
const SHOWN = 1000
const PAST_DAYS = 90

/** Makes a secret subscription address; the one before is void. Only the token's hash is kept. Throws `token_revoked`. */
export async function newFeed(sql: Sql, who: Caller, publicUrl: string, now: Temporal.Instant): Promise<{ url: string }> {
  const token = Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString('base64url')
  await transaction(sql, async (tx) => {
    await requireActive(tx, who)
    const made = await run(
      tx,
      SQL`insert into calendar_feeds (person_id, role, token_hash, session_id, created_at)
          select ${who.id}::uuid, ${who.role}, ${hash(token)}, ${who.sid}::uuid, ${new Date(now.epochMilliseconds)}::timestamptz
           where not exists (select 1 from people where id = ${who.id}::uuid and ${who.sid}::uuid < revoked_before)
          on conflict (person_id) do update
             set role = excluded.role, token_hash = excluded.token_hash, session_id = excluded.session_id, created_at = excluded.created_at`
    )
    if (made === 0) throw new Problem('token_revoked')
  })
  return { url: `${publicUrl.replace(/\/+$/, '')}/v1/calendar-feed/${token}.ics` }
}

/** The calendar behind a secret address: from 90 days ago on. Throws `not_found`. */
export async function readFeed(sql: Sql, file: string, organizer: Mailbox, now: Temporal.Instant): Promise<string> {
  const token = file.replace(/\.ics$/, '')
  const feed = await maybeOne<{ personId: string; role: Role }>(
    sql,
    SQL`select person_id, role from calendar_feeds f
         where token_hash = ${hash(token)} and not exists (select 1 from people p where p.id = f.person_id and (p.disabled or p.erased))`
  )
  if (!feed) throw new Problem('not_found')
  const from = new Date(now.epochMilliseconds - PAST_DAYS * 86_400_000)
  const question = { partyId: feed.personId, role: feed.role, status: null, from, to: null, descending: false, after: null, limit: SHOWN }
  return calendarFile(await listAppointments(sql, question), feed.role, organizer)
}
