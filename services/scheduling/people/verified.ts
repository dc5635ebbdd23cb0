import SQL from 'sql-template-strings'
import { type Db, maybeOne } from '#platform/data/db'
import { Problem } from '#platform/http/problem'
import type { Caller } from '#platform/identity/caller'

/** Whether a patient who claims a doctor's time needs a verified email address. */
export type Verification = 'required' | 'optional'

/** Throws `email_not_verified`. The token may be older than the verification, and the event younger than the token: either will do. */
export async function requireVerified(db: Db, patient: Caller, verification: Verification): Promise<void> {
  if (verification === 'optional' || patient.emailVerified) return
  const known = await maybeOne<{ emailVerified: boolean }>(db, SQL`select email_verified from people where id = ${patient.id}`)
  if (!known?.emailVerified) throw new Problem('email_not_verified')
}
