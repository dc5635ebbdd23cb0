import SQL from 'sql-template-strings'
import { type Db, run } from '#platform/data/db'
import { currentOrNewTrace } from '#platform/events/outbox'

/** What is written down about accounts. */
export type Action =
  | 'registered'
  | 'admin_added'
  | 'admin_reset'
  | 'logged_in'
  | 'locked_out'
  | 'refresh_reused'
  | 'session_ended'
  | 'sessions_ended'
  | 'password_changed'
  | 'password_reset'
  | 'email_verified'
  | 'email_change_requested'
  | 'email_changed'
  | 'mfa_activated'
  | 'mfa_removed'
  | 'mfa_reset'
  | 'mfa_voided'
  | 'recovery_code_used'
  | 'doctor_approved'
  | 'doctor_rejected'
  | 'user_disabled'
  | 'user_enabled'
  | 'data_exported'
  | 'user_erased'
  | 'user_expired'
  | 'key_rotated'
  | 'key_retired'

/** Who did it (null: the system or somebody unknown) and to whose account. */
export type Entry = { actorId: string | null; action: Action; subjectId?: string | null; sessionId?: string | null }

/** Adds to the audit trail, in the transaction of what it tells; the database refuses to change or delete what stands there. */
export const record = (tx: Db, { actorId, action, subjectId = actorId, sessionId = null }: Entry, now: Temporal.Instant) =>
  run(
    tx,
    SQL`insert into audit (at, actor_id, action, subject_id, session_id, request_id)
        values (${new Date(now.epochMilliseconds)}, ${actorId}, ${action}, ${subjectId}, ${sessionId}, ${currentOrNewTrace().requestId})`
  )
