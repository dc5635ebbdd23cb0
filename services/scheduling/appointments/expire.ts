import SQL from 'sql-template-strings'
import { isOfOneItem, rows, run, type Sql, transaction } from '#platform/data/db'
import { describeError, log } from '#platform/setup/log'
import { passOn } from '../waitlist/offer.ts'
import { apply } from './change.ts'
import { lockAppointment } from './queries.ts'

const BATCH = 50

/**
 * Ends requests and holds that are past their time: a request becomes `expired`, a hold is released and its slot goes to the waitlist. Any replica may
 * run it. Returns how many it ended.
 */
export async function expireDue(sql: Sql, now: Temporal.Instant): Promise<number> {
  try {
    return await expireTogether(sql, now)
  } catch (error) {
    if (!isOfOneItem(error)) throw error
    // one item may have failed the whole batch: each is tried alone
    const due = await rows<{ id: string }>(
      sql,
      SQL`select id from appointments where status in ('held', 'requested') and expires_at <= ${new Date(now.epochMilliseconds)}::timestamptz
           order by expires_at limit ${BATCH}`
    )
    for (const { id } of due)
      await expireTogether(sql, now, id).catch((reason) =>
        log.error({ appointment: id, ...describeError(reason) }, 'an appointment could not expire; the next run tries again')
      )
    return 0
  }
}

async function expireTogether(sql: Sql, now: Temporal.Instant, only: string | null = null): Promise<number> {
  const at = new Date(now.epochMilliseconds)
  return transaction(sql, async (tx) => {
    const due = await rows<{ id: string; status: 'held' | 'requested'; doctorId: string; start: Date }>(
      tx,
      SQL`select id, status, doctor_id, lower(during) as start from appointments
           where status in ('held', 'requested') and expires_at <= ${at}::timestamptz and (${only}::uuid is null or id = ${only}::uuid)
           order by expires_at limit ${BATCH} for update skip locked`
    )
    for (const { id, status, doctorId, start } of due) {
      if (status === 'requested') {
        const row = await lockAppointment(tx, id, null)
        if (row) await apply(tx, 'expire', row, { id: null, role: 'system' }, null, now)
        continue
      }
      await run(tx, SQL`update appointments set status = 'released', updated_at = ${at} where id = ${id}`)
      await passOn(tx, { doctorId, start: start.getTime() }, now)
    }
    return due.length
  })
}

const EVERY_MS = 1_000
const PURGE_EVERY_MS = 3_600_000

/** Deletes the client tags of claims that are over and no longer count towards a limit. */
export async function forgetClients(sql: Sql, now: Temporal.Instant): Promise<void> {
  const at = new Date(now.epochMilliseconds)
  await run(
    sql,
    SQL`update appointments set client = null
         where client is not null and (status not in ('held', 'requested', 'confirmed') or lower(during) <= ${at}::timestamptz)`
  )
  await run(
    sql,
    SQL`update waitlist set client = null where client is not null and (status = 'done' or to_date < ${at}::timestamptz::date - 1)`
  )
}

/**
 * Runs `expireDue` every second. Every hour it deletes holds that were released over a day ago, and client tags that no longer count. Returns a function
 * that stops it after the current run.
 */
export function startExpiry(sql: Sql, clock: () => Temporal.Instant): () => Promise<void> {
  let stopped = false
  let purged = 0
  const loop = (async () => {
    while (!stopped) {
      try {
        while (!stopped && (await expireDue(sql, clock())) === BATCH) {}
        if (Date.now() - purged > PURGE_EVERY_MS) {
          purged = Date.now()
          await run(sql, SQL`delete from appointments where status = 'released' and updated_at < now() - interval '1 day'`)
          await forgetClients(sql, clock())
        }
      } catch (error) {
        log.error(describeError(error), 'expiry failed; the next run tries again')
      }
      await Bun.sleep(EVERY_MS)
    }
  })()
  return async () => {
    stopped = true
    await loop
  }
}
