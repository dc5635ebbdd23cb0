import { createHash } from 'node:crypto'
import SQL from 'sql-template-strings'
import { type Db, run } from '#platform/db'
import { userOf } from '../accounts/model.ts'
import type { Account } from '../accounts/queries.ts'
import type { Needs } from '../app.ts'
import type { Client } from '../attempts/client.ts'
import { record } from '../audit/record.ts'
import { ACCESS_SECONDS } from '../tokens/keys.ts'
import { makeSecret } from '../tokens/secret.ts'
import type { Tokens } from './model.ts'

/** A refresh token runs 30 days from its making; a session, however busy, 90 days from its log-in (ASVS 5.0, 7.3.2). */
const REFRESH_DAYS = 30
const SESSION_DAYS = 90

/** Opens a session for somebody who has proved to be that person, in the transaction of that proof. */
export async function openSession(
  tx: Db,
  needs: Pick<Needs, 'keys' | 'seal'>,
  account: Account,
  client: Pick<Client, 'userAgent'>,
  now: Temporal.Instant
): Promise<Tokens> {
  const sid = Bun.randomUUIDv7()
  const at = new Date(now.epochMilliseconds)
  const expiresAt = new Date(now.add({ hours: 24 * SESSION_DAYS }).epochMilliseconds)
  // one way to the database for all three, which does them in this order
  const [, , tokens] = await Promise.all([
    run(
      tx,
      SQL`insert into sessions (id, user_id, user_agent, created_at, last_used_at, expires_at)
          values (${sid}, ${account.id}, ${client.userAgent}, ${at}, ${at}, ${expiresAt})`
    ),
    record(tx, { actorId: account.id, action: 'logged_in', sessionId: sid }, now),
    tokensOf(tx, needs, account, { sid, parentId: null, sessionEnds: expiresAt }, now)
  ])
  return tokens
}

type Place = { sid: string; parentId: string | null; sessionEnds: Date }

/** The next pair of tokens of a session. */
export async function tokensOf(
  tx: Db,
  { keys, seal }: Pick<Needs, 'keys' | 'seal'>,
  account: Account,
  { sid, parentId, sessionEnds }: Place,
  now: Temporal.Instant
): Promise<Tokens> {
  const { id, token, hash } = makeSecret()
  const expires = new Date(Math.min(now.add({ hours: 24 * REFRESH_DAYS }).epochMilliseconds, sessionEnds.getTime()))
  const [, accessToken] = await Promise.all([
    run(
      tx,
      SQL`insert into refresh_tokens (id, session_id, parent_id, secret_hash, created_at, expires_at)
          values (${id}, ${sid}, ${parentId}, ${hash}, ${new Date(now.epochMilliseconds)}, ${expires})`
    ),
    keys.accessToken(account, sid, now)
  ])
  return { accessToken, tokenType: 'Bearer', expiresIn: ACCESS_SECONDS, refreshToken: token, user: userOf(account, seal) }
}

/** Tells clients apart as far as a retry needs it. */
export const fingerprintOf = ({ address, userAgent }: Client): string =>
  createHash('sha256')
    .update(`${address}\0${userAgent ?? ''}`)
    .digest('base64url')
