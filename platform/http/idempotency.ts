import SQL from 'sql-template-strings'
import { type Db, maybeOne, one, run, type Sql, transaction } from '../data/db.ts'
import { Problem, problemBody } from './problem.ts'

/*
 * Idempotency keys. The key's row, the effect and the answer are one transaction: a crash leaves all or nothing. The schema has this table:
 *
 *   create table idempotency_keys (
 *     caller_id uuid not null,
 *     key text not null,
 *     fingerprint text not null,
 *     status int not null,
 *     headers jsonb not null,
 *     body jsonb not null,
 *     created_at timestamptz(3) not null default now(),
 *     primary key (caller_id, key)
 *   );
 *   create index idempotency_keys_age on idempotency_keys (created_at);
 */

/** An answer that can be given again. */
export type Answer = { status: number; headers: Record<string, string>; body: unknown }
type Stored = Answer & { fingerprint: string }

/** An answer is given again for a day; how long it is stored is a setting, which is no shorter. */
const KEPT = '24 hours'
const keyForm = /^[\x21-\x7e]{1,255}$/

/** What identifies a first request: its key as the client gave it, and what it asked for. */
export type Wish = { callerId: string; key: string | null; route: string; body: unknown }

/** How the body of an answer is kept: for what must not stand in the database in clear. */
type Body = { keep: (body: unknown) => unknown; open: (kept: unknown) => unknown }
const asItIs: Body = { keep: (body) => body, open: (kept) => kept }

/**
 * Runs `work` once for each caller and key, and answers the first result again with `Idempotency-Replayed: true` for 24 h. Refusals below 500 are
 * kept as well. Without a key `work` runs on the pool as it is. Throws `idempotency_key_reused`, `idempotency_in_progress`, `validation_failed`.
 */
export async function idempotent(sql: Sql, wish: Wish, work: (db: Db) => Promise<Answer>, body: Body = asItIs): Promise<Answer> {
  const { key, callerId } = wish
  if (key === null) return work(sql)
  if (!keyForm.test(key)) throw new Problem('validation_failed', 'Idempotency-Key must have 1 to 255 visible ASCII characters')
  const fingerprint = fingerprintOf(wish)
  try {
    return await transaction(sql, async (tx) => {
      await claim(tx, callerId, key)
      const stored = await find(tx, callerId, key)
      if (stored) return replay({ ...stored, body: body.open(stored.body) }, fingerprint)
      const answer = await work(tx)
      await store(tx, callerId, key, fingerprint, { ...answer, body: body.keep(answer.body) })
      return answer
    })
  } catch (error) {
    if (error instanceof Problem && keepable(error)) await store(sql, callerId, key, fingerprint, refusalOf(error, wish))
    throw error
  }
}

/** Refusals that say nothing about the state of the appointment, or that pass by themselves, are not kept. */
const passing = new Set(['idempotency_key_reused', 'idempotency_in_progress', 'validation_failed'])
const keepable = (problem: Problem) => problem.status < 500 && problem.status !== 429 && !passing.has(problem.code)

const refusalOf = (problem: Problem, wish: Wish): Answer => ({
  status: problem.status,
  headers: { ...problem.headers, 'content-type': 'application/problem+json' },
  body: problemBody(problem, wish.route, '')
})

/** Who comes while the first is still running gets nothing to wait for. */
async function claim(tx: Db, callerId: string, key: string) {
  const { got } = await one<{ got: boolean }>(
    tx,
    SQL`select pg_try_advisory_xact_lock(hashtextextended(${`${callerId} ${key}`}, 42)) as got`
  )
  if (!got) throw new Problem('idempotency_in_progress', undefined, { retryAfter: 1 })
}

const find = (db: Db, callerId: string, key: string) =>
  maybeOne<Stored>(
    db,
    SQL`select status, headers, body, fingerprint from idempotency_keys
         where caller_id = ${callerId} and key = ${key} and created_at > now() - ${KEPT}::interval`
  )

const store = (db: Db, callerId: string, key: string, fingerprint: string, { status, headers, body }: Answer) =>
  run(
    db,
    SQL`insert into idempotency_keys (caller_id, key, fingerprint, status, headers, body)
        values (${callerId}, ${key}, ${fingerprint}, ${status}, ${headers}, ${body as object})
        on conflict (caller_id, key) do update
          set fingerprint = excluded.fingerprint, status = excluded.status, headers = excluded.headers, body = excluded.body, created_at = now()
        where idempotency_keys.created_at <= now() - ${KEPT}::interval`
  )

function replay(stored: Stored, fingerprint: string): Answer {
  if (stored.fingerprint !== fingerprint) throw new Problem('idempotency_key_reused')
  return { status: stored.status, headers: { ...stored.headers, 'idempotency-replayed': 'true' }, body: stored.body }
}

const fingerprintOf = ({ route, body }: Wish) =>
  new Bun.CryptoHasher('sha256').update(`${route}\n${JSON.stringify(sorted(body))}`).digest('base64url')

/** The same fields in another order are the same wish. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, inner]) => [name, sorted(inner)])
  )
}

const BATCH = 1_000

/** Deletes keys that were stored for longer than `days`, a few at a time. Any replica may, at any time. */
export async function purgeIdempotencyKeys(sql: Sql, now: Temporal.Instant, days: number): Promise<void> {
  const before = new Date(now.subtract({ hours: days * 24 }).epochMilliseconds)
  for (let deleted = BATCH; deleted === BATCH; ) {
    deleted = await run(
      sql,
      SQL`delete from idempotency_keys where (caller_id, key) in (
            select caller_id, key from idempotency_keys where created_at < ${before} order by created_at limit ${BATCH} for update skip locked)`
    )
  }
}
