import SQL from 'sql-template-strings'
import { type Db, run } from '#platform/data/db'
import { announce } from '#platform/events/outbox'
import { record } from '../audit/record.ts'
import type { Lock } from './throttle.ts'

/** A person is mailed about locks at most once in this time. */
const MAIL_HOURS = 6

/** What follows the failure that locks a person: an entry in the audit trail, and a mail unless one was sent in the last six hours. */
export const tellLockedOut = (account: { id: string }, now: Temporal.Instant) => async (tx: Db, lock: Lock) => {
  await record(tx, { actorId: null, action: 'locked_out', subjectId: account.id }, now)
  const due = await run(
    tx,
    SQL`update users set lockout_mailed_at = ${new Date(now.epochMilliseconds)}
         where id = ${account.id}
           and (lockout_mailed_at is null or lockout_mailed_at <= ${new Date(now.subtract({ hours: MAIL_HOURS }).epochMilliseconds)})`
  )
  if (due !== 1) return
  const until = now.add({ seconds: Math.ceil(lock.seconds) }).toString()
  const told = { id: account.id, until, ...(lock.by === 'person' && { resetNeeded: true }) }
  await announce(tx, 'healthmed.user.locked_out.v1', account.id, told)
}
