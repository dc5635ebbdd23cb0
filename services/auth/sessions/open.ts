import { createHash } from 'node:crypto'
import SQL, { type SQLStatement } from 'sql-template-strings'
import { type Db, run } from '#platform/db'
import { currentOrNewTrace } from '#platform/outbox'
import { userOf } from '../accounts/model.ts'
import type { Account } from '../accounts/queries.ts'
import type { Needs } from '../app.ts'
import type { Client } from '../attempts/client.ts'
import type { Attempt } from '../attempts/throttle.ts'
import { ACCESS_SECONDS } from '../tokens/keys.ts'
import { makeSecret } from '../tokens/secret.ts'
import type { Tokens } from './model.ts'

/** A refresh token runs 30 days from its making; a session, however busy, 90 days from its log-in (ASVS 5.0, 7.3.2). */
const REFRESH_DAYS = 30
const SESSION_DAYS = 90

/** Of whom nothing more is asked: whoever opens the session has looked at everything in the same transaction. */
const anyone = (id: string) => SQL`select ${id}::uuid as id`

/**
 * Opens a session for somebody who has proved to be that person, and forgets their failures: one statement for session, audit trail and tokens.
 * `proven` is a query that gives the person's id, or nothing where the proof has come to be worth nothing; then nothing is done, and undefined is given.
 */
export async function openSession(
  db: Db,
  needs: Pick<Needs, 'keys' | 'seal'>,
  account: Account,
  { client, attempt, proven = anyone(account.id) }: { client: Pick<Client, 'userAgent'>; attempt: Attempt; proven?: SQLStatement },
  now: Temporal.Instant
): Promise<Tokens | undefined> {
  const sid = Bun.randomUUIDv7()
  const at = new Date(now.epochMilliseconds)
  const sessionEnds = new Date(now.add({ hours: 24 * SESSION_DAYS }).epochMilliseconds)
  const pair = nextPair(needs, account, { sid, sessionEnds }, now)
  const statement = SQL`with proven as materialized (`.append(proven).append(SQL`),
    session as (
      insert into sessions (id, user_id, user_agent, created_at, last_used_at, expires_at)
      select ${sid}, id, ${client.userAgent}, ${at}::timestamptz, ${at}::timestamptz, ${sessionEnds}::timestamptz from proven),
    told as (
      insert into audit (at, actor_id, action, subject_id, session_id, request_id)
      select ${at}::timestamptz, id, 'logged_in', id, ${sid}::uuid, ${currentOrNewTrace().requestId} from proven),
    forgiven as (delete from failed_attempts where subject = ${attempt.person} and exists (select from proven))
    insert into refresh_tokens (id, session_id, parent_id, secret_hash, created_at, expires_at)
    select ${pair.id}::uuid, ${sid}::uuid, null, ${pair.hash}, ${at}::timestamptz, ${pair.expires}::timestamptz from proven`)
  // signed meanwhile: a token of a session that there is not lets nobody in, and nobody is given it
  const [opened, tokens] = await Promise.all([run(db, statement), pair.tokens])
  return opened > 0 ? tokens : undefined
}

type Place = { sid: string; sessionEnds: Date }

/** The next pair of tokens of a session, and what is kept of the one that refreshes. */
function nextPair({ keys, seal }: Pick<Needs, 'keys' | 'seal'>, account: Account, { sid, sessionEnds }: Place, now: Temporal.Instant) {
  const { id, token, hash } = makeSecret()
  const expires = new Date(Math.min(now.add({ hours: 24 * REFRESH_DAYS }).epochMilliseconds, sessionEnds.getTime()))
  const tokens = keys.accessToken(account, sid, now).then(
    (accessToken): Tokens => ({
      accessToken,
      tokenType: 'Bearer',
      expiresIn: ACCESS_SECONDS,
      refreshToken: token,
      user: userOf(account, seal)
    })
  )
  return { id, hash, expires, tokens }
}

/** Makes the next pair of tokens of a session that goes on. */
export async function tokensOf(
  tx: Db,
  needs: Pick<Needs, 'keys' | 'seal'>,
  account: Account,
  place: Place & { parentId: string },
  now: Temporal.Instant
): Promise<Tokens> {
  const { id, hash, expires, tokens } = nextPair(needs, account, place, now)
  const [made] = await Promise.all([
    tokens,
    run(
      tx,
      SQL`insert into refresh_tokens (id, session_id, parent_id, secret_hash, created_at, expires_at)
          values (${id}, ${place.sid}, ${place.parentId}, ${hash}, ${new Date(now.epochMilliseconds)}, ${expires})`
    )
  ])
  return made
}

/** Tells clients apart as far as a retry needs it. */
export const fingerprintOf = ({ address, userAgent }: Client): string =>
  createHash('sha256')
    .update(`${address}\0${userAgent ?? ''}`)
    .digest('base64url')
