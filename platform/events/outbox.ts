import SQL from 'sql-template-strings'
import { type Db, inQueue, rows, run, type Sql } from '../data/db.ts'
import { currentTrace, describeError, log, traceparentFrom } from '../setup/log.ts'
import { counter, gauge } from '../setup/metrics.ts'
import { openSpan, spanned } from '../setup/spans.ts'
import type { Bus } from './bus.ts'
import { bell } from './commit-signal.ts'
import type { Event, EventData, EventType } from './events.ts'
import { STALLED_AFTER_MS, stallWatch } from './stall.ts'

/*
 * The transactional outbox. A schema that publishes has this table:
 *
 *   create table outbox (
 *     seq bigint generated always as identity primary key,
 *     id uuid not null unique,
 *     type text not null,
 *     subject uuid not null,
 *     data jsonb not null,
 *     traceparent text not null,
 *     request_id text not null,
 *     created_at timestamptz(3) not null default now(),
 *     attempts int not null default 0,
 *     lease_token uuid,
 *     lease_until timestamptz,
 *     last_error text,
 *     sent_at timestamptz(3)
 *   );
 *   create index outbox_unsent on outbox (subject, seq) where sent_at is null;
 *   create index outbox_unsent_seq on outbox (seq) where sent_at is null and seq is not null;
 *   create index outbox_sent on outbox (sent_at) where sent_at is not null;
 */

/** Rings for events that a statement of its own put into the outbox. */
export const announced = bell()

/**
 * Says that something happened, in the transaction in which it happens. The relay publishes it after the commit. `subject` is the aggregate's id; `at` is
 * for what happened by itself and is only found now.
 */
export async function announce<T extends EventType>(tx: Db, type: T, subject: string, data: EventData<T>, at?: Date | null): Promise<void> {
  const { traceparent, requestId } = currentOrNewTrace()
  await run(
    tx,
    SQL`insert into outbox (id, type, subject, data, traceparent, request_id, created_at)
        values (${Bun.randomUUIDv7()}, ${type}, ${subject}, ${data}, ${traceparent}, ${requestId}, coalesce(${at ?? null}::timestamptz, now()))`
  )
  announced.ring(tx)
}

/** The trace that an event bears: of the request at hand, or a new one for work that the system does by itself. */
export const currentOrNewTrace = () => currentTrace() ?? { traceparent: traceparentFrom(null), requestId: crypto.randomUUID() }

type Row = {
  seq: number
  id: string
  type: EventType
  subject: string
  data: EventData<EventType>
  traceparent: string
  requestId: string
  createdAt: Date
}

const published = counter('outbox_published_total', 'Events published and confirmed, by outcome', ['outcome'])
const leaseConflicts = counter('outbox_lease_conflicts_total', 'Write-backs refused because another relay had taken the rows over', [])
const depth = gauge('outbox_depth', 'Events that wait to be published', [])
const oldest = gauge('outbox_oldest_seconds', 'Age of the oldest event that waits to be published', [])

const BATCH = 200
/** Longer than a confirm may take, and short enough that what a dead relay had claimed goes out soon. */
const LEASE_SECONDS = 15
const POLL_MS = 1_000
/** So often a relay looks at all that is unsent, and in between only from where it last found something. */
const WHOLE_MS = 1_000
/** Events that come close together share a batch: a claim costs much the same for one as for many. */
const APART_MS = 100

/**
 * Takes the earliest unsent event of each aggregate, as many as a batch holds. An aggregate's next event becomes takeable only when the one before
 * is marked sent: that keeps its order however many relays run. Where a crash of the database undoes a claim or a mark, the event is published once
 * more, and its consumers know it. `from` is the number to begin at: what was sent lately stands in the index before it until the next vacuum. An
 * aggregate's events are read by its id, behind `offset 0`, with which only one of the two indexes agrees: else the planner reads all that is unsent for
 * each, where it was told of a time without any.
 */
const claim = (sql: Sql, token: string, from: number) =>
  inQueue<Row>(
    sql,
    SQL`with candidate as materialized (
          select o.seq from outbox o
           where o.sent_at is null and o.seq >= ${from} and (o.lease_until is null or o.lease_until < now())
             and not exists (select 1 from (select seq from outbox where subject = o.subject and sent_at is null offset 0) earlier where earlier.seq < o.seq)
           order by o.seq limit ${BATCH} for update skip locked)
        update outbox set lease_token = ${token}::uuid, lease_until = now() + make_interval(secs => ${LEASE_SECONDS}), attempts = attempts + 1
          from candidate where outbox.seq = candidate.seq
        returning outbox.seq, id, type, subject, data, traceparent, request_id, created_at`
  )

/** Marks what the broker confirmed, and tells how many; rows whose lease another relay has taken since stay as they are. */
const markSent = async (sql: Sql, token: string, seqs: number[]) => {
  const marked = await inQueue<{ seq: number }>(
    sql,
    SQL`update outbox set sent_at = now(), lease_token = null, lease_until = null, last_error = null
         where seq = any(${seqs}::bigint[]) and lease_token = ${token}::uuid returning seq`
  )
  return marked.length
}

/** Gives rows back with the reason; they are tried again after a delay that doubles up to ten seconds. */
const giveBack = (db: Db, token: string, seqs: number[], reasons: string[]) =>
  run(
    db,
    SQL`update outbox set lease_token = null, lease_until = now() + least(interval '0.5 seconds' * power(2, least(attempts, 6)), interval '10 seconds'),
               last_error = refused.reason
          from unnest(${seqs}::bigint[], ${reasons}::text[]) as refused(seq, reason)
         where outbox.seq = refused.seq and lease_token = ${token}::uuid`
  )

/** Publishes a batch of what is unsent from a number on, and gives the numbers; one that the broker returned or refused is given back. */
async function relayBatch(sql: Sql, bus: Bus, source: string, from: number): Promise<number[]> {
  const token = crypto.randomUUID()
  const batch = await claim(sql, token, from)
  if (batch.length === 0) return []
  const outcomes = await Promise.allSettled(batch.map((row) => publish(row, bus, source)))
  const sent = batch.filter((_, index) => outcomes[index]?.status === 'fulfilled').map((row) => row.seq)
  const marked = sent.length > 0 ? await markSent(sql, token, sent) : 0
  published.inc({ outcome: 'sent' }, marked)
  if (marked < sent.length) leaseConflicts.inc({}, sent.length - marked)
  const refused = batch.flatMap((row, index) => {
    const outcome = outcomes[index]
    return outcome?.status === 'rejected'
      ? [{ ...row, reason: outcome.reason instanceof Error ? outcome.reason.message : 'not published' }]
      : []
  })
  if (refused.length > 0) await handBack(sql, token, refused)
  return batch.map(({ seq }) => seq)
}

async function handBack(sql: Sql, token: string, refused: (Row & { reason: string })[]) {
  published.inc({ outcome: 'refused' }, refused.length)
  const [{ id, type, reason } = {}] = refused
  log.warn({ events: refused.length, event: id, type, reason }, 'events not published, they stay in the outbox')
  await giveBack(
    sql,
    token,
    refused.map(({ seq }) => seq),
    refused.map((row) => row.reason.replaceAll('\0', ''))
  )
}

/** Async, so that a row that is no event makes nothing but itself fail. */
const publish = async (row: Row, bus: Bus, source: string): Promise<void> => {
  const span = openSpan('producer', `publish ${row.type}`, row.traceparent, {
    'messaging.system': 'rabbitmq',
    'messaging.message.id': row.id
  })
  return spanned(span, () => bus.publish(toEvent({ ...row, traceparent: span.traceparent }, source)))
}

const toEvent = (row: Row, source: string): Event => ({
  specversion: '1.0',
  id: row.id,
  type: row.type,
  source,
  subject: row.subject,
  time: row.createdAt.toISOString(),
  datacontenttype: 'application/json',
  traceparent: row.traceparent,
  requestid: row.requestId,
  data: row.data
})

/** A relay that runs until it is stopped; `stop` waits for the batch at hand. `isFlowing` is false while the first event in line has not left for 60 s. */
export type Relay = { stop: () => Promise<void>; isFlowing: () => boolean }

/** When the relay looks at the outbox's state, and by which clock it finds that nothing leaves. */
type Watching = { nowMs?: () => number; measureEveryMs?: number }

/** Publishes what stands in the outbox of `schema`, woken by what this process announces, and by a clock for what others left. */
export function startRelay(
  sql: Sql,
  bus: Bus,
  schema: string,
  { nowMs = () => performance.now(), measureEveryMs = 5_000 }: Watching = {}
): Relay {
  const stall = stallWatch(STALLED_AFTER_MS, nowMs)
  let stopped = false
  let wake = () => {}
  const deafen = announced.hear(() => wake())
  const loop = (async () => {
    let [from, lookedAt] = [0, Number.NEGATIVE_INFINITY]
    while (!stopped) {
      let took: number[] = []
      const nap = new Promise<void>((resolve) => {
        wake = resolve
      })
      try {
        // who drew a lower number may commit later: the next whole look finds it
        if (performance.now() - lookedAt > WHOLE_MS) [from, lookedAt] = [0, performance.now()]
        if (bus.connected()) took = await relayBatch(sql, bus, schema, from)
        if (took.length > 0) from = Math.min(...took)
      } catch (error) {
        log.error(describeError(error), 'relay failed, it tries again')
      }
      if (stopped) break
      if (took.length === 0) await Promise.race([nap, Bun.sleep(POLL_MS)])
      else if (took.length < BATCH) await Bun.sleep(APART_MS)
    }
  })()
  const watch = setInterval(() => measure(sql).then(stall.observe, () => {}), measureEveryMs)
  return {
    isFlowing: () => !stall.isStalled(),
    stop: async () => {
      stopped = true
      clearInterval(watch)
      wake()
      await loop
      deafen()
    }
  }
}

/**
 * Sent events are kept with their data, so that they can be published again where the broker's data is lost (`ops/republish-events.ts`). Shorter than
 * the inbox remembers what it handled (30 days): an event that is published again is then known to everybody who handled it.
 */
const KEPT_SENT = '14 days'

/** Sets the gauges, purges rows that were sent long ago, and gives the first event in line. */
async function measure(sql: Sql): Promise<string | undefined> {
  const [state] = await rows<{ depth: number; oldest: number; head: string | null }>(
    sql,
    SQL`select count(*) as depth, coalesce(extract(epoch from now() - min(created_at)), 0)::float8 as oldest, min(seq)::text as head
          from outbox where sent_at is null`
  )
  depth.set({}, state?.depth ?? 0)
  oldest.set({}, state?.oldest ?? 0)
  await run(
    sql,
    SQL`delete from outbox where seq in (select seq from outbox where sent_at < now() - ${KEPT_SENT}::interval limit 1000 for update skip locked)`
  )
  return state?.head ?? undefined
}
