import SQL from 'sql-template-strings'
import { type Db, rows } from '#platform/data/db'
import { instantText } from '#platform/http/schema'

type Row = { id: string; createdAt: Date; lastUsedAt: Date; userAgent: string | null }

/** A person's open sessions, the one last used first; `current` is the one that asks. */
export async function openSessions(db: Db, userId: string, sid: string, now: Temporal.Instant) {
  const found = await rows<Row>(
    db,
    SQL`select id, created_at, last_used_at, user_agent from sessions
         where user_id = ${userId} and ended_at is null and expires_at > ${new Date(now.epochMilliseconds)} order by last_used_at desc, id desc limit 100`
  )
  return found.map(({ id, createdAt, lastUsedAt, userAgent }) => ({
    id,
    createdAt: instantText(createdAt),
    lastUsedAt: instantText(lastUsedAt),
    userAgent,
    current: id === sid
  }))
}
