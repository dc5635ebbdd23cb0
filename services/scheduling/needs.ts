import type { Sql } from '#platform/data/db'
import type { Mailbox } from '#platform/events/calendar-entry'
import type { Check } from '#platform/http/health'
import type { Verify } from '#platform/identity/caller'
import type { EndedSessions } from '#platform/identity/ended-sessions'
import type { ClientTag } from './claims/client.ts'
import type { Limits } from './claims/limits.ts'
import type { Verification } from './people/verified.ts'
import type { Changes } from './stream/changes.ts'

/** What the routes of this service use: the database, the token check, the clock and the settings. */
export type Needs = {
  sql: Sql
  verify: Verify
  /** Ends work that runs for a session when that session ends. */
  endWith: EndedSessions['endWith']
  clock: () => Temporal.Instant
  limits: Limits
  verification: Verification
  clientTag: ClientTag
  publicUrl: string
  /** The organizer of each calendar entry, the same as in the emails. */
  organizer: Mailbox
  changes: Changes
  checks: Check[]
}
