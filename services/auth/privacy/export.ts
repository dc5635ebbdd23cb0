import SQL from 'sql-template-strings'
import { type Db, rows } from '#platform/data/db'
import { currentOrNewTrace } from '#platform/events/outbox'
import { Problem } from '#platform/http/problem'
import { instantText, maybeInstantText } from '#platform/http/schema'
import { sealedFor, userOf } from '../accounts/model.ts'
import { type Account, findAccount } from '../accounts/queries.ts'
import type { Needs } from '../app.ts'
import { record } from '../audit/record.ts'

const TIMEOUT_MS = 10_000

/**
 * All that every service holds on the caller, as one document (LGPD art. 18, II and V). The others are asked with the caller's own token.
 * Throws `upstream_unavailable` where one of them does not answer: an export that leaves something out in silence would be wrong.
 */
export async function exportMe(needs: Needs, id: string, authorization: string, now: Temporal.Instant) {
  const { sql, peers } = needs
  const account = await findAccount(sql, id)
  if (!account) throw new Problem('token_revoked')
  const [auth, scheduling, notifier] = await Promise.all([
    ownPart(needs, account),
    partOf(peers.scheduling, id, authorization),
    partOf(peers.notifier, id, authorization)
  ])
  await record(sql, { actorId: id, action: 'data_exported' }, now)
  return { exportedAt: now.round('second').toString(), subjectId: id, auth, scheduling, notifier }
}

async function ownPart({ sql, seal }: Needs, account: Account) {
  const { id, cpfSealed } = account
  return {
    // the person's own copy is whole: nothing is masked
    account: { ...userOf(account, seal), cpf: cpfSealed && seal.open(cpfSealed, sealedFor(id, 'cpf')) },
    sessions: await sessionsOf(sql, id),
    audit: await auditOf(sql, id)
  }
}

type SessionRow = {
  id: string
  userAgent: string | null
  createdAt: Date
  lastUsedAt: Date
  endedAt: Date | null
  endReason: string | null
}

const sessionsOf = async (db: Db, id: string) =>
  (
    await rows<SessionRow>(
      db,
      SQL`select id, user_agent, created_at, last_used_at, ended_at, end_reason from sessions where user_id = ${id} order by created_at`
    )
  ).map((row) => ({
    ...row,
    createdAt: instantText(row.createdAt),
    lastUsedAt: instantText(row.lastUsedAt),
    endedAt: maybeInstantText(row.endedAt)
  }))

const auditOf = async (db: Db, id: string) =>
  (
    await rows<{ at: Date; action: string; byYou: boolean }>(
      db,
      SQL`select at, action, actor_id is not distinct from ${id}::uuid as by_you from audit where subject_id = ${id} order by seq`
    )
  ).map(({ at, ...entry }) => ({ at: instantText(at), ...entry }))

async function partOf(base: string, id: string, authorization: string): Promise<Record<string, unknown>> {
  const { requestId, traceparent } = currentOrNewTrace()
  // one of several addresses: any replica can tell
  const [address = ''] = base.split(',')
  const response = await fetch(`${address.trim()}/internal/people/${id}/export`, {
    headers: { authorization, 'x-request-id': requestId, traceparent },
    signal: AbortSignal.timeout(TIMEOUT_MS)
  }).catch(() => undefined)
  if (!response?.ok)
    throw new Problem('upstream_unavailable', 'One of the services cannot tell what it holds at the moment', { retryAfter: 5 })
  return (await response.json()) as Record<string, unknown>
}
