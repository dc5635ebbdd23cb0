import type { ConsumeMessage } from 'amqplib'
import SQL from 'sql-template-strings'
import { type Db, rows, run, type Sql, transaction } from '#platform/data/db'
import { type Bus, DEAD_LETTERS, type Subscription } from '#platform/events/bus'
import { cursorsOf } from '#platform/http/cursor'
import { instantText } from '#platform/http/schema'
import { describeError, log } from '#platform/setup/log'
import { gauge } from '#platform/setup/metrics'
import { withoutErased } from '../people/scrub.ts'

/*
 * Dead letters of every service move from the broker's queue into a table. There they can be listed and paged as often as one likes; looking
 * into a quorum queue would mean to take messages and hand them back, which counts towards its delivery limit and at last loses them.
 */
type Row = { id: string; queue: string; type: string; messageId: string; reason: string; failedAt: Date; receivedAt: Date }

const MAX_AT_ONCE = 1_000
const kept = gauge('dead_letters', 'Messages that could not be processed and wait for an administrator', [])

/** Takes dead letters from the broker into the table. */
export const deadLetterSubscription = (sql: Sql, clock: () => Temporal.Instant): Subscription => ({
  queue: DEAD_LETTERS,
  bindings: [],
  prefetch: 20,
  onMessage: async (message, ack, stopping) => {
    // until it is kept: a letter that nobody holds on to would block its place among the twenty for as long as the line stands
    for (let wait = 200; !stopping.aborted; wait = Math.min(wait * 2, 2_000)) {
      try {
        await keep(sql, message, new Date(clock().epochMilliseconds))
        return ack()
      } catch (error) {
        log.error(describeError(error), 'a dead letter could not be kept, trying again')
      }
      await Bun.sleep(wait)
    }
  }
})

/** Keeps a letter, without what it says about erased people, once where it is delivered twice: an admin who puts it back finds each only once. */
async function keep(sql: Sql, { content, properties }: ConsumeMessage, now: Date) {
  const headers = (properties.headers ?? {}) as Record<string, unknown>
  // set by our consumers; by the broker where it gave a message up itself
  const queue = text(headers['x-queue'] ?? headers['x-first-death-queue'] ?? 'unknown')
  const reason = text(headers['x-reason'] ?? headers['x-first-death-reason'] ?? 'unknown')
  const at = Date.parse(String(headers['x-at']))
  const messageId = text(properties.messageId ?? '')
  // ids rise in the order in which the letters came, whichever is written first
  const id = Bun.randomUUIDv7()
  await transaction(sql, async (tx) => {
    await rows(tx, SQL`select pg_advisory_xact_lock(hashtextextended(${`${queue} ${messageId}`}, 0))`)
    const kept = await withoutErased(tx, content)
    if (!kept) return
    // one that is being put back right now may have failed again already: waiting for its lock tells whether it is still here
    const [same] = await rows(
      tx,
      SQL`select id from dead_letters where message_id = ${messageId} and ${messageId}::text <> '' and queue = ${queue} and content = ${kept}::bytea
             for share limit 1`
    )
    if (same) return
    await run(
      tx,
      SQL`insert into dead_letters (id, queue, type, message_id, reason, content, failed_at, received_at)
          values (${id}, ${queue}, ${text(properties.type ?? 'unknown')}, ${messageId}, ${reason}, ${kept},
                  ${Number.isNaN(at) ? now : new Date(at)}, ${now})`
    )
  })
}

/** What a column takes of a header that anybody may have written. */
const text = (value: unknown) => String(value).replaceAll('\0', '').slice(0, 500)

const cursors = cursorsOf('dead letters', 'uuid')

/** Messages that could not be processed, the oldest first. */
export async function listDeadLetters(db: Db, { limit = 20, cursor }: { limit?: number; cursor?: string }) {
  const after = cursor ? cursors.decode(cursor)[0] : null
  const found = await rows<Row>(
    db,
    SQL`select id, queue, type, message_id, reason, failed_at, received_at from dead_letters
         where ${after}::uuid is null or id > ${after}::uuid order by id limit ${limit + 1}::int`
  )
  const items = found
    .slice(0, limit)
    .map(({ failedAt, receivedAt, ...row }) => ({ ...row, failedAt: instantText(failedAt), receivedAt: instantText(receivedAt) }))
  const last = items.at(-1)
  return { items, nextCursor: found.length > limit && last ? cursors.encode([last.id]) : null }
}

/**
 * Puts dead letters back into the queues that they came from, all or those named, at most 1000 at once; gives how many. One goes from the table
 * only when the broker has confirmed it: dying in between puts it back twice, which the inbox bears.
 */
export async function replayDeadLetters(sql: Sql, bus: Bus, ids?: string[]): Promise<number> {
  return transaction(sql, async (tx) => {
    const letters = await rows<Row & { content: Uint8Array }>(
      tx,
      SQL`select id, queue, type, message_id, content from dead_letters where ${ids ?? null}::uuid[] is null or id = any(${ids ?? null}::uuid[])
           order by id limit ${MAX_AT_ONCE}::int for update skip locked`
    )
    const outcomes = await Promise.allSettled(
      letters.map(({ queue, content, ...about }) => bus.putBack(queue, Buffer.from(content), about))
    )
    const put = letters.filter((_, index) => outcomes[index]?.status === 'fulfilled').map(({ id }) => id)
    await run(tx, SQL`delete from dead_letters where id = any(${put}::uuid[])`)
    return put.length
  })
}

/** Sets the gauge of kept dead letters. */
export async function countDeadLetters(db: Db): Promise<void> {
  const [state] = await rows<{ count: number }>(db, SQL`select count(*) as count from dead_letters`)
  kept.set({}, state?.count ?? 0)
}
