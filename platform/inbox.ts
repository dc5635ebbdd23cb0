import { Value } from '@sinclair/typebox/value'
import type { ConsumeMessage } from 'amqplib'
import SQL from 'sql-template-strings'
import type { Bus, Subscription } from './bus.ts'
import { type Db, maybeOne, rows, run, type Sql, transaction } from './db.ts'
import { Envelope, type Event, type EventType, events, isEventType } from './events.ts'
import { describeError, log, traced } from './log.ts'
import { counter } from './metrics.ts'

/*
 * The inbox: an event's id and its effect are one transaction, so the same message twice does nothing. A schema that consumes has this table:
 *
 *   create table inbox (
 *     event_id uuid primary key,
 *     type text not null,
 *     received_at timestamptz(3) not null default now(),
 *     done_at timestamptz(3),
 *     attempts int not null default 0,
 *     next_try_at timestamptz(3),
 *     last_error text,
 *     event jsonb
 *   );
 *   create index inbox_waiting on inbox (next_try_at) where done_at is null;
 *   create index inbox_done on inbox (done_at) where done_at is not null;
 */

/** What a consumer does with each type of event. It runs in a transaction with the inbox row, and must not mind events that arrive out of order. */
export type Handlers = { [T in EventType]?: (tx: Db, event: Event<T>) => Promise<void> }

/** A handler throws this for what no further try can mend: the message goes to the dead letters at once. */
export class Unprocessable extends Error {}

const consumed = counter('events_consumed_total', 'Events consumed, by type and outcome', ['type', 'outcome'])
const MAX_ATTEMPTS = 10
const RETRY_POLL_MS = 500

/** Reads a message as an event of a known type; throws `Unprocessable` with what is wrong, without values. */
function readEvent(content: Buffer, handlers: Handlers): Event {
  let event: unknown
  try {
    event = JSON.parse(content.toString())
  } catch {
    throw new Unprocessable('the message is not JSON')
  }
  const [wrong] = Value.Errors(Envelope, event)
  if (wrong) throw new Unprocessable(`the envelope is not valid at ${wrong.path || '/'}`)
  const { type, data } = event as Event
  if (!isEventType(type) || !handlers[type]) throw new Unprocessable(`the type ${String(type).slice(0, 100)} is not known here`)
  const [bad] = Value.Errors(events[type], data)
  if (bad) throw new Unprocessable(`the data is not valid at ${bad.path || '/'}`)
  return event as Event
}

const handle = (tx: Db, handlers: Handlers, event: Event): Promise<void> => {
  const handler = handlers[event.type] as (tx: Db, event: Event) => Promise<void>
  return traced({ requestId: event.requestid, traceparent: event.traceparent }, () => handler(tx, event))
}

/** A subscription whose messages go through the inbox, and the loop that tries again what failed. */
export type Consumer = { subscription: Subscription; start: (bus: Bus) => { stop: () => Promise<void> } }

/** Consumes the events that `handlers` names from the queue `<service>.events`; versions that it does not know end as dead letters. */
export function consumerOf(sql: Sql, service: string, handlers: Handlers, prefetch = 50): Consumer {
  const queue = `${service}.events`
  let bus: Bus | undefined
  let stopped = false

  async function onMessage(message: ConsumeMessage, ack: () => void) {
    const started = performance.now()
    for (let wait = 200; !stopped; wait = Math.min(wait * 2, 5_000)) {
      try {
        await takeIn(sql, handlers, message.content)
        return ack()
      } catch (error) {
        if (error instanceof Unprocessable && bus) {
          const putAside = await deadLetter(bus, queue, message, error.message)
          if (putAside) return ack()
        } else log.error({ ...describeError(error), ms: Math.round(performance.now() - started) }, 'event not taken in, trying again')
      }
      // the database or the broker is away: the message stays unacknowledged, the prefetch holds the rest back
      await Bun.sleep(wait)
    }
  }

  const bindings = Object.keys(handlers).map((type) => type.replace(/v\d+$/, '*'))
  return {
    subscription: { queue, bindings, prefetch, onMessage },
    start: (connected) => {
      bus = connected
      const loop = retryLoop(sql, connected, queue, handlers, () => stopped)
      return {
        stop: async () => {
          stopped = true
          await loop
        }
      }
    }
  }
}

async function deadLetter(bus: Bus, queue: string, message: ConsumeMessage, reason: string): Promise<boolean> {
  const { messageId, type } = message.properties
  try {
    await bus.deadLetter(message.content, { queue, type: type ?? 'unknown', messageId: messageId ?? crypto.randomUUID(), reason })
    consumed.inc({ type: type ?? 'unknown', outcome: 'dead' })
    log.error({ event: messageId, type, reason }, 'event put to the dead letters')
    return true
  } catch {
    return false
  }
}

/** Effect and inbox row in one transaction; a failed effect leaves a row that says when it is tried again. */
async function takeIn(sql: Sql, handlers: Handlers, content: Buffer): Promise<void> {
  const event = readEvent(content, handlers)
  try {
    await transaction(sql, async (tx) => {
      const fresh = await run(
        tx,
        SQL`insert into inbox (event_id, type, done_at, attempts) values (${event.id}, ${event.type}, now(), 1) on conflict do nothing`
      )
      if (fresh > 0) await handle(tx, handlers, event)
    })
    consumed.inc({ type: event.type, outcome: 'done' })
  } catch (error) {
    if (error instanceof Unprocessable) throw error
    log.warn({ event: event.id, type: event.type, ...describeError(error) }, 'event failed, it is tried again')
    await run(
      sql,
      SQL`insert into inbox (event_id, type, attempts, next_try_at, last_error, event)
          values (${event.id}, ${event.type}, 1, now() + interval '1 second', ${reasonOf(error)}, ${event}) on conflict do nothing`
    )
  }
}

/** Database errors hold values of people: only their code is kept. */
const reasonOf = (error: unknown): string => {
  const { code, message } = describeError(error)
  return String(message ?? code ?? 'unknown').slice(0, 300)
}

type Waiting = { eventId: string; event: Event; attempts: number }

async function retryLoop(sql: Sql, bus: Bus, queue: string, handlers: Handlers, stopped: () => boolean): Promise<void> {
  let lastPurge = 0
  while (!stopped()) {
    try {
      while (!stopped() && (await retryOne(sql, bus, queue, handlers))) {}
      if (Date.now() - lastPurge > 600_000) {
        lastPurge = Date.now()
        await run(sql, SQL`delete from inbox where done_at < now() - interval '30 days'`)
      }
    } catch (error) {
      log.error(describeError(error), 'inbox retry failed')
    }
    await Bun.sleep(RETRY_POLL_MS)
  }
}

/** Tries the most overdue event again. True when there was one. */
async function retryOne(sql: Sql, bus: Bus, queue: string, handlers: Handlers): Promise<boolean> {
  const outcome = await transaction(sql, async (tx) => {
    const waiting = await maybeOne<Waiting>(
      tx,
      SQL`select event_id, event, attempts from inbox where done_at is null and next_try_at <= now()
           order by next_try_at limit 1 for update skip locked`
    )
    if (!waiting) return 'none'
    const failure = await inSavepoint(tx, (inner) => handle(inner, handlers, waiting.event))
    if (failure === undefined) {
      await run(
        tx,
        SQL`update inbox set done_at = now(), event = null, last_error = null, attempts = attempts + 1 where event_id = ${waiting.eventId}`
      )
      consumed.inc({ type: waiting.event.type, outcome: 'done' })
    } else if (failure instanceof Unprocessable || waiting.attempts + 1 >= MAX_ATTEMPTS) {
      // put back by an admin it must be able to run again, so its row goes; should the commit fail it is put aside twice, which the inbox bears
      const content = Buffer.from(JSON.stringify(waiting.event))
      await bus.deadLetter(content, { queue, type: waiting.event.type, messageId: waiting.eventId, reason: reasonOf(failure) })
      await run(tx, SQL`delete from inbox where event_id = ${waiting.eventId}`)
      consumed.inc({ type: waiting.event.type, outcome: 'dead' })
      log.error({ event: waiting.eventId, type: waiting.event.type, reason: reasonOf(failure) }, 'event put to the dead letters')
    } else {
      await run(
        tx,
        SQL`update inbox set attempts = attempts + 1, last_error = ${reasonOf(failure)},
                   next_try_at = now() + least(interval '1 second' * power(2, attempts), interval '60 seconds')
             where event_id = ${waiting.eventId}`
      )
    }
    return 'tried'
  })
  return outcome === 'tried'
}

async function inSavepoint(tx: Db, work: (inner: Db) => Promise<void>): Promise<unknown> {
  if (!('savepoint' in tx)) throw new Error('a savepoint needs a transaction')
  try {
    await tx.savepoint((inner) => work(inner))
    return undefined
  } catch (error) {
    return error
  }
}

/** How many events wait for another try. */
export const waitingEvents = async (db: Db): Promise<number> =>
  (await rows<{ count: number }>(db, SQL`select count(*) as count from inbox where done_at is null`))[0]?.count ?? 0
