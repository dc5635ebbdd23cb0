import SQL from 'sql-template-strings'
import { maybeOne, run, type Sql, transaction } from '#platform/data/db'
import type { Mailbox } from '#platform/events/calendar-entry'
import { Problem } from '#platform/http/problem'
import type { Caller, Role } from '#platform/identity/caller'
import { requireActive } from '../people/active.ts'
import { calendarFeed } from './file.ts'
import { feedEntries } from './queries.ts'

const hash = (token: string) => new Bun.CryptoHasher('sha256').update(token).digest('base64url')

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

/** Makes a person's secret address void. */
export const dropFeed = (sql: Sql, who: Caller) => run(sql, SQL`delete from calendar_feeds where person_id = ${who.id}::uuid`)

/** A calendar as it is answered; `text` is null where the reader has this state of it already. */
export type Feed = { tag: string; text: string | null }

/** The calendar behind a secret address. `known` says whether the reader has the state of a tag. Throws `not_found`. */
export async function readFeed(
  sql: Sql,
  file: string,
  { organizer, now, known }: { organizer: Mailbox; now: Temporal.Instant; known: (tag: string) => boolean }
): Promise<Feed> {
  const token = file.replace(/\.ics$/, '')
  const feed = await maybeOne<{ personId: string; role: Role }>(
    sql,
    SQL`select person_id, role from calendar_feeds f
         where token_hash = ${hash(token)} and not exists (select 1 from people p where p.id = f.person_id and (p.disabled or p.erased))`
  )
  if (!feed) throw new Problem('not_found')
  return oneAtATime(async () => {
    const entries = await feedEntries(sql, feed, now)
    // of what the text is made of, and not of the text: a reader who has it costs no writing
    const tag = `"${Bun.hash(JSON.stringify([LAYOUT, feed.role, organizer, entries])).toString(36)}"`
    return { tag, text: known(tag) ? null : await calendarFeed(entries, feed.role, organizer) }
  })
}

/** Rises with every change of how a feed is written. */
const LAYOUT = 1

let last: Promise<unknown> = Promise.resolve()

/** One feed is read and written at a time in a process: many large ones at once would hold their rows and texts in memory all together. */
function oneAtATime<Result>(work: () => Promise<Result>): Promise<Result> {
  const result = last.then(work)
  last = result.catch(() => {})
  return result
}
