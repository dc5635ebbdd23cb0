import { Value } from '@sinclair/typebox/value'
import type { ConsumeMessage } from 'amqplib'
import SQL from 'sql-template-strings'
import { batched } from '../data/batch.ts'
import { type Db, isAway, isBadValue, maybeOne, rows, run, type Sql, transaction } from '../data/db.ts'
import { readJson } from '../http/json.ts'
import { Problem } from '../http/problem.ts'
import { describeError, log, traced } from '../setup/log.ts'
import { counter } from '../setup/metrics.ts'
import { openSpan, spanned } from '../setup/spans.ts'
import type { Bus, Subscription } from './bus.ts'
import { Envelope, type Event, type EventType, events, isEventType, sourceOf } from './events.ts'

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
 *   create index inbox_waiting on inbox (next_try_at) where done_at is null and next_try_at is not null;
 *   create index inbox_waiting_subject on inbox ((event->>'subject'), event_id) where done_at is null;
 *   create index inbox_done on inbox (done_at) where done_at is not null;
 */

/** What a consumer does with each type of event. It runs in a transaction with the inbox row, and must not mind events that arrive out of order. */
export type Handlers = { [T in EventType]?: (tx: Db, event: Event<T>) => Promise<void> }

/** A handler throws this for what no further try can mend: the message goes to the dead letters at once. */
export class Unprocessable extends Error {}
/** A handler throws this when it needs something that another event will bring: it is tried again for a day, not ten times. */
export class NotYet extends Error {}

const consumed = counter('events_consumed_total', 'Events consumed, by type and outcome', ['type', 'outcome'])
const MAX_ATTEMPTS = 10
const NOT_YET_HOURS = 24
const RETRY_POLL_MS = 500
/** Events that come close together share a transaction. */
const APART_MS = 100

/** Reads a message as an event of a known type, or says what is wrong with it, without values. */
function readEvent(content: Buffer, handlers: Handlers): Event | Unprocessable {
  let event: unknown
  try {
    event = readJson(content)
  } catch (error) {
    const holdsNul = error instanceof Problem && error.code === 'validation_failed'
    return new Unprocessable(holdsNul ? 'the message holds a character that no column of text takes' : 'the message is not JSON')
  }
  const [wrong] = Value.Errors(Envelope, event)
  if (wrong) return new Unprocessable(`the envelope is not valid at ${wrong.path || '/'}`)
  const { type, data, source } = event as Event
  if (!isEventType(type) || !handlers[type]) return new Unprocessable(`the type ${String(type).slice(0, 100)} is not known here`)
  if (source !== sourceOf(type)) return new Unprocessable(`the source ${source.slice(0, 100)} may not announce ${type}`)
  const [bad] = Value.Errors(events[type], data)
  if (bad) return new Unprocessable(`the data is not valid at ${bad.path || '/'}`)
  return event as Event
}

/** Lets work of one subject run one after the other in the order in which it came, and work of different subjects at once. */
function lineUp(): (subject: string, work: () => Promise<void>) => Promise<void> {
  const lines = new Map<string, Promise<void>>()
  return async (subject, work) => {
    const mine = (lines.get(subject) ?? Promise.resolve()).then(work)
    lines.set(subject, mine)
    await mine
    if (lines.get(subject) === mine) lines.delete(subject)
  }
}

const handle = (tx: Db, handlers: Handlers, event: Event): Promise<void> => {
  const handler = handlers[event.type] as (tx: Db, event: Event) => Promise<void>
  const span = openSpan('consumer', `process ${event.type}`, event.traceparent, {
    'messaging.system': 'rabbitmq',
    'messaging.message.id': event.id
  })
  const { traceparent } = span
  return traced({ requestId: event.requestid, traceparent }, () => spanned(span, () => handler(tx, { ...event, traceparent })))
}

/** A subscription whose messages go through the inbox, and the loop that tries again what failed. */
export type Consumer = { subscription: Subscription; start: (bus: Bus) => { stop: () => Promise<void> } }

/** The version of the queues: the arguments of a queue that exists cannot be changed, so other arguments need queues of another name. */
const QUEUES = 'v1'

/** The queue of a service, and what binds it to events of these types. */
export const queueOf = (service: string, types: readonly string[]): Pick<Subscription, 'queue' | 'bindings'> => ({
  queue: `${service}.events.${QUEUES}`,
  bindings: types.map((type) => type.replace(/v\d+$/, '*'))
})

/** Consumes the events that `handlers` names from the queue `<service>.events.v1`; versions of events that it does not know end as dead letters. */
export function consumerOf(sql: Sql, service: string, handlers: Handlers, prefetch = 50): Consumer {
  const { queue, bindings } = queueOf(service, Object.keys(handlers))
  let bus: Bus | undefined
  let stopped = false

  const inOrder = lineUp()
  const takeInTogether = batched((events: Event[]) => takeIn(sql, handlers, events), {
    most: prefetch,
    apartMs: APART_MS,
    mayBeOne: (error) => !isAway(error)
  })

  async function onMessage(message: ConsumeMessage, ack: () => void) {
    const event = readEvent(message.content, handlers)
    let takeOver = event instanceof Unprocessable ? () => putAside(message, event.message) : () => takeInTogether(event)
    const subject = event instanceof Unprocessable ? '' : event.subject
    await inOrder(subject, async () => {
      for (let wait = 200; !stopped; wait = Math.min(wait * 2, 5_000)) {
        try {
          await takeOver()
          return ack()
        } catch (error) {
          log.error(describeError(error), 'event not taken in, trying again')
          // not even a row that waits for another try can hold it: it would block its subject, and a place of the prefetch, for good
          if (isBadValue(error)) takeOver = () => putAside(message, 'the database cannot store the event')
        }
        // the database or the broker is away: the message stays unacknowledged, the prefetch holds the rest back
        await Bun.sleep(wait)
      }
    })
  }

  const putAside = ({ content, properties: { messageId, type } }: ConsumeMessage, reason: string) => {
    if (!bus) throw new Error('the consumer has not been started')
    return deadLetter(bus, content, { queue, type: type ?? 'unknown', messageId: messageId ?? crypto.randomUUID(), reason })
  }

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

async function deadLetter(bus: Bus, content: Buffer, about: { queue: string; type: string; messageId: string; reason: string }) {
  await bus.deadLetter(content, about)
  consumed.inc({ type: isEventType(about.type) ? about.type : 'unknown', outcome: 'dead' })
  log.error({ event: about.messageId, type: about.type, reason: about.reason }, 'event put to the dead letters')
}

/**
 * Writes the inbox rows of events that may have their effect now, and gives their ids: not those that had it before. While an event of the same subject
 * waits for its next try, those after it wait behind it, so that a subject's events have their effects in their order. What waits is asked for by its
 * subject, behind `offset 0`: else the planner reads all that waits.
 */
const takeInto = (tx: Db, events: Event[]) =>
  rows<{ eventId: string }>(
    tx,
    SQL`insert into inbox (event_id, type, done_at, attempts)
        select e.id, e.type, now(), 1
          from unnest(${events.map(({ id }) => id)}::uuid[], ${events.map(({ type }) => type)}::text[],
                      ${events.map(({ subject }) => subject)}::text[]) as e(id, type, subject)
         where not exists (select 1 from (select 1 from inbox where done_at is null and event->>'subject' = e.subject offset 0) as waiting)
        on conflict do nothing returning event_id`,
    { plan: 'each time' }
  )

/** All or none. What shares a transaction shares its commit, and its statements share their way to the database. */
const takeInAll = (sql: Sql, handlers: Handlers, events: Event[]): Promise<Set<string>> =>
  transaction(sql, async (tx) => {
    const taken = new Set((await takeInto(tx, events)).map(({ eventId }) => eventId))
    // every handler ends before the transaction does: a statement that came after it would stand outside of it
    const outcomes = await Promise.allSettled(events.map((event) => taken.has(event.id) && handle(tx, handlers, event)))
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    return taken
  })

/**
 * Takes in events of different subjects at once; throws where that fails, so that each is taken in by itself and one bad event holds no other up. The
 * failed effect of an event alone leaves a row that says when it is tried again.
 */
async function takeIn(sql: Sql, handlers: Handlers, events: Event[]): Promise<undefined[]> {
  const erasures = events.filter(({ type }) => type === 'healthmed.user.erased.v1')
  if (erasures.length > 0 && events.length > 1) {
    // it takes away what others write: what shared its transaction could come behind it, and no lock would hold it back
    const others = events.filter((event) => !erasures.includes(event))
    if (others.length > 0) await takeIn(sql, handlers, others)
    for (const erasure of erasures) await takeIn(sql, handlers, [erasure])
    return events.map(() => undefined)
  }
  // in one order everywhere, so that no two processes wait for each other
  const inOrder = events.toSorted((a, b) => (a.subject < b.subject ? -1 : 1))
  try {
    const taken = await takeInAll(sql, handlers, inOrder)
    for (const event of events) {
      if (taken.has(event.id)) consumed.inc({ type: event.type, outcome: 'done' })
      else await lay(sql, event, 0, 'waits behind an earlier event of its subject')
    }
  } catch (error) {
    const [event, ...others] = events
    if (others.length > 0 || !event) throw error
    log.warn({ event: event.id, type: event.type, ...describeError(error) }, 'event failed, it is tried again')
    await lay(sql, event, 1, reasonOf(error))
  }
  return events.map(() => undefined)
}

/** Keeps an event for another try; one that had its effect before, or is kept already, stays as it is. */
const lay = (sql: Sql, event: Event, attempts: number, reason: string) =>
  run(
    sql,
    SQL`insert into inbox (event_id, type, attempts, next_try_at, last_error, event)
        values (${event.id}, ${event.type}, ${attempts}::int, now() + make_interval(secs => ${attempts}::int), ${reason}, ${event}) on conflict do nothing`
  )

/** Database errors hold values of people: only their code is kept. */
const reasonOf = (error: unknown): string => {
  const { code, message } = describeError(error)
  return String(message ?? code ?? 'unknown').slice(0, 300)
}

type Waiting = { eventId: string; event: Event; attempts: number; hours: number }

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

/** Tries the most overdue event again that waits behind no earlier one (ids are UUIDv7, so they rise with time). True when there was one. */
async function retryOne(sql: Sql, bus: Bus, queue: string, handlers: Handlers): Promise<boolean> {
  const outcome = await transaction(sql, async (tx) => {
    const waiting = await maybeOne<Waiting>(
      tx,
      SQL`select event_id, event, attempts, extract(epoch from now() - received_at)::float8 / 3600 as hours from inbox
           where done_at is null and next_try_at <= now()
             and not exists (select 1 from (select event_id from inbox e where done_at is null and event->>'subject' = inbox.event->>'subject' offset 0) earlier
                              where earlier.event_id < inbox.event_id)
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
    } else if (isHopeless(failure, waiting) && (await putAside(bus, queue, waiting, reasonOf(failure)))) {
      // put back by an admin it must be able to run again, so its row goes; should the commit fail it is put aside twice, which the inbox bears
      await run(tx, SQL`delete from inbox where event_id = ${waiting.eventId}`)
    } else {
      await run(
        tx,
        SQL`update inbox set attempts = attempts + 1, last_error = ${reasonOf(failure)},
                   next_try_at = now() + least(interval '1 second' * power(2, least(attempts, 6)), interval '60 seconds')
             where event_id = ${waiting.eventId}`
      )
    }
    return 'tried'
  })
  return outcome === 'tried'
}

const isHopeless = (failure: unknown, { attempts, hours }: Waiting) =>
  failure instanceof Unprocessable || (failure instanceof NotYet ? hours > NOT_YET_HOURS : attempts + 1 >= MAX_ATTEMPTS)

/** False where the broker is away: then the event keeps its row, and those behind it their turn. */
async function putAside(bus: Bus, queue: string, { event, eventId }: Waiting, reason: string): Promise<boolean> {
  try {
    await deadLetter(bus, Buffer.from(JSON.stringify(event)), { queue, type: event.type, messageId: eventId, reason })
    return true
  } catch {
    return false
  }
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
