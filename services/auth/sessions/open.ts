import { createHash } from 'node:crypto'
import SQL, { type SQLStatement } from 'sql-template-strings'
import { batchedOn } from '#platform/data/batch'
import { type Db, rows, run, type Sql } from '#platform/data/db'
import { currentOrNewTrace } from '#platform/events/outbox'
import type { Client } from '#platform/http/client-address'
import { describeError, log } from '#platform/setup/log'
import { userOf } from '../accounts/model.ts'
import type { Account } from '../accounts/queries.ts'
import type { Needs } from '../app.ts'
import { type Attempt, isFree, windowStart } from '../attempts/throttle.ts'
import { ACCESS_SECONDS } from '../tokens/keys.ts'
import { makeSecret } from '../tokens/secret.ts'
import type { Tokens } from './model.ts'

/** A refresh token runs 30 days from its making; a session, however busy, 90 days from its log-in (ASVS 5.0, 7.3.2). */
const REFRESH_DAYS = 30
const SESSION_DAYS = 90

/** Who opens a session, with what and from where. `hasSecondFactor`: the person gave a code besides the password. */
export type Visit = { account: Account; client: Client; attempt: Attempt; hasSecondFactor: boolean; now: Temporal.Instant }
type Makers = Pick<Needs, 'keys' | 'seal' | 'requireMfa'>

/** Opens a session for somebody who has proved to be that person, as whoever asks has seen in the same transaction, and forgets their failures. */
export async function openSession(tx: Db, needs: Makers, visit: Visit): Promise<Tokens> {
  const { row, tokens } = newSession(needs, visit)
  const [, signed] = await Promise.all([insert(tx, [row], SQL`select * from asked`), tokens])
  return signed
}

/**
 * The same for somebody whose right password is all it takes: neither it nor the person has changed since they were read, and of many guesses at once
 * the right one does not come after the limit was reached. Else, and where somebody is changing the person right now, nothing is done and undefined is
 * given. Sessions that are opened at the same time share one statement and one commit, and none of them waits for anybody else's trouble.
 */
export async function openIfProven(sql: Sql, needs: Makers, visit: Visit): Promise<Tokens | undefined> {
  const { row, tokens } = newSession(needs, visit)
  // signed meanwhile: a token of a session that there is not lets nobody in, and nobody is given it
  const [isOpen, signed] = await Promise.all([inCompany(sql, row), tokens])
  return isOpen ? signed : undefined
}

/**
 * Whoever changes the person comes before this, and is seen, or waits until the session is there. Asked for each by itself, so that people are found by
 * their id whatever the planner thinks of how many there are.
 */
const stillProven = SQL`
  select asked.* from asked cross join lateral (
    select from users
     where id = asked.user_id and version = asked.version and password_hash = asked.password_hash and not disabled
       and not exists (select from totp where user_id = asked.user_id and activated_at is not null)
       and `
  .append(isFree)
  .append(SQL` for share skip locked) as person`)

const inCompany = batchedOn(async (sql: Sql, sessions: Row[]): Promise<boolean[]> => {
  try {
    const opened = new Set((await insert(sql, sessions, stillProven)).map(({ sessionId }) => sessionId))
    return sessions.map(({ sid }) => opened.has(sid))
  } catch (error) {
    // one may have spoilt it for all: each goes on alone, and meets its own trouble
    log.warn(describeError(error), 'sessions could not be opened together')
    return sessions.map(() => false)
  }
})

/** One statement for session, audit trail and tokens of all whom `proof` lets through. */
const insert = (db: Db, sessions: Row[], proof: SQLStatement) =>
  rows<{ sessionId: string }>(
    db,
    SQL`with asked as materialized (
          select * from jsonb_to_recordset(${{ sessions }}::jsonb -> 'sessions') as session(
            sid uuid, user_id uuid, version int, password_hash text, person text, pair text, address text, failures_since timestamptz, user_agent text,
            at timestamptz, session_ends timestamptz, request_id text, token_id uuid, token_hash text, token_expires timestamptz)),
        proven as materialized (`
      .append(proof)
      .append(SQL`),
        session as (
          insert into sessions (id, user_id, user_agent, created_at, last_used_at, expires_at)
          select sid, user_id, user_agent, at, at, session_ends from proven),
        told as (
          insert into audit (at, actor_id, action, subject_id, session_id, request_id)
          select at, user_id, 'logged_in', user_id, sid, request_id from proven),
        forgiven as (delete from failed_attempts where subject = any(array(select pair from proven)))
        insert into refresh_tokens (id, session_id, parent_id, secret_hash, created_at, expires_at)
        select token_id, sid, null, token_hash, at, token_expires from proven
        returning session_id`)
  )

type Row = ReturnType<typeof newSession>['row']

/** A session as it is stored, with what its proof rests on, and its first tokens. */
function newSession(needs: Makers, { account, client, attempt, hasSecondFactor, now }: Visit) {
  const sid = Bun.randomUUIDv7()
  const sessionEnds = new Date(now.add({ hours: 24 * SESSION_DAYS }).epochMilliseconds)
  const { id, hash, expires, tokens } = nextPair(needs, account, { sid, sessionEnds, hasSecondFactor }, now)
  const row = {
    sid,
    user_id: account.id,
    version: account.version,
    password_hash: account.passwordHash,
    person: attempt.person,
    pair: attempt.pair,
    address: attempt.address,
    failures_since: windowStart(now),
    user_agent: client.userAgent,
    at: new Date(now.epochMilliseconds),
    session_ends: sessionEnds,
    request_id: currentOrNewTrace().requestId,
    token_id: id,
    token_hash: hash,
    token_expires: expires
  }
  return { row, tokens }
}

type Place = { sid: string; sessionEnds: Date; hasSecondFactor: boolean }

/** The next pair of tokens of a session, and what is kept of the one that refreshes. */
function nextPair(
  { keys, seal, requireMfa }: Makers,
  account: Account,
  { sid, sessionEnds, hasSecondFactor }: Place,
  now: Temporal.Instant
) {
  const { id, token, hash } = makeSecret()
  const expires = new Date(Math.min(now.add({ hours: 24 * REFRESH_DAYS }).epochMilliseconds, sessionEnds.getTime()))
  const mustEnrol = !hasSecondFactor && requireMfa.includes(account.role)
  const tokens = keys.accessToken(account, sid, now, mustEnrol).then(
    (accessToken): Tokens => ({
      accessToken,
      tokenType: 'Bearer',
      expiresIn: ACCESS_SECONDS,
      refreshToken: token,
      user: userOf(account, seal),
      ...(mustEnrol && { mfaEnrolmentRequired: true })
    })
  )
  return { id, hash, expires, tokens }
}

/** Makes the next pair of tokens of a session that goes on. */
export async function tokensOf(
  tx: Db,
  needs: Makers,
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
