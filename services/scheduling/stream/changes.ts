import SQL from 'sql-template-strings'
import { one, rows, type Sql } from '#platform/data/db'
import { instantText } from '#platform/http/schema'
import { describeError, log } from '#platform/setup/log'
import { CHANNEL } from './notices.ts'

/** The position of a stream: the transaction and the number of the last change that it sent. */
export type Position = { tx: string; seq: number }
/** A change of an appointment. It is settled once no running transaction can still commit a change before it. */
type Change = Position & { appointmentId: string; action: string; status: string; version: number; at: Date; settled: boolean }
/** Called when there are new changes. */
type Listener = () => void

/** The live changes of this process: one LISTEN on the database, and whoever listens here. `stop` ends every stream, so that the process can: clients come again, elsewhere. */
export type Changes = {
  listen: (personId: string, listener: Listener) => () => void
  /** Has a stream ended when the process stops; gives the function that takes this back. */
  endOnStop: (end: () => void) => () => void
  stop: () => Promise<void>
}

/** Follows the history of every replica by the database's NOTIFY. */
export async function followChanges(sql: Sql): Promise<Changes> {
  const listeners = new Map<string, Set<Listener>>()
  const streams = new Set<() => void>()
  let isStopped = false
  const notifyListeners = (personId: string) => {
    for (const listener of listeners.get(personId) ?? []) listener()
  }
  const listening = await sql.listen(
    CHANNEL,
    (people) => {
      for (const personId of people.split(' ')) notifyListeners(personId)
    },
    // notifications may be lost with the connection: every stream reads again
    () => {
      for (const personId of listeners.keys()) notifyListeners(personId)
    }
  )
  return {
    listen: (personId, listener) => {
      const own = listeners.get(personId) ?? new Set()
      listeners.set(personId, own.add(listener))
      return () => {
        own.delete(listener)
        if (own.size === 0) listeners.delete(personId)
      }
    },
    endOnStop: (end) => {
      if (isStopped) queueMicrotask(end)
      streams.add(end)
      return () => streams.delete(end)
    },
    stop: async () => {
      isStopped = true
      for (const end of streams) end()
      await listening.unlisten().catch(() => {})
    }
  }
}

/** The id of a change in a stream, and in `Last-Event-ID`. */
export const idOf = ({ tx, seq }: Position): string => `${tx}-${seq}`
/** What `idOf` wrote. */
export const positionOf = (id: string): Position => {
  const [tx = '0', seq = '0'] = id.split('-')
  return { tx, seq: Number(seq) }
}

const AT_ONCE = 500

const changesAfter = (sql: Sql, personId: string, { tx, seq }: Position) =>
  rows<Change>(
    sql,
    SQL`select tx::text, seq, appointment_id, action, to_status as status, version, at, tx < pg_snapshot_xmin(pg_current_snapshot()) as settled
          from history h
         where (doctor_id = ${personId}::uuid or patient_id = ${personId}::uuid) and (h.tx, seq) > (${tx}::text::xid8, ${seq}::bigint)
         order by h.tx, seq limit ${AT_ONCE}`
  )

/** Starts after the client's last event, or now. An id of a future transaction is from before a restored backup and is ignored. */
async function startPosition(sql: Sql, resumeAfter: Position | undefined): Promise<Position> {
  const { running, next } = await one<{ running: string; next: string }>(
    sql,
    SQL`select pg_snapshot_xmin(pg_current_snapshot())::text as running, pg_snapshot_xmax(pg_current_snapshot())::text as next`
  )
  return resumeAfter && BigInt(resumeAfter.tx) < BigInt(next) ? resumeAfter : { tx: running, seq: 0 }
}

/** When a stream ends: with the token (`at`, Unix ms), or with the session; `withSession` gives the function that takes back what it was given. */
export type Ends = { at: number; withSession: (end: () => void) => () => void }

const HEARTBEAT_MS = 15_000
const SETTLING_MS = 25
const encoder = new TextEncoder()
const frame = (change: Change) => {
  const { appointmentId, action, status, version, at } = change
  return `id: ${idOf(change)}\nevent: appointment\ndata: ${JSON.stringify({ appointmentId, action, status, version, at: instantText(at) })}\n\n`
}

/**
 * The caller's changes as `text/event-stream` from after `resumeAfter` on, or from now. A heartbeat every 15 s. It ends with the caller's token and with the
 * caller's session, whichever is first.
 */
export async function streamOf(
  sql: Sql,
  changes: Changes,
  personId: string,
  resumeAfter: Position | undefined,
  ends: Ends
): Promise<ReadableStream<Uint8Array>> {
  let position = await startPosition(sql, resumeAfter)
  let close = () => {}
  return new ReadableStream({
    start(controller) {
      let open = true
      let reading = false
      let again = false

      /** Sends settled changes in order. Returns true if more changes follow without a notification. */
      async function sendSettled(): Promise<boolean> {
        const found = await changesAfter(sql, personId, position)
        const settled = found.filter((change) => change.settled)
        for (const change of settled) {
          if (!open) return false
          controller.enqueue(encoder.encode(frame(change)))
          position = change
        }
        if (settled.length === found.length) return found.length === AT_ONCE
        await Bun.sleep(SETTLING_MS)
        return true
      }

      async function readChanges() {
        again = true
        if (reading) return
        reading = true
        try {
          while (again && open) {
            again = false
            again = (await sendSettled()) || again
          }
        } catch (error) {
          log.warn(describeError(error), 'live changes could not be read')
        } finally {
          reading = false
        }
      }

      const unlisten = changes.listen(personId, readChanges)
      const beat = setInterval(() => {
        controller.enqueue(encoder.encode(': still here\n\n'))
        // a notification is lost if the process that should send it ends
        readChanges()
      }, HEARTBEAT_MS)
      const end = setTimeout(() => close(), Math.max(0, ends.at - Date.now()))
      const cancelEndOnStop = changes.endOnStop(() => close())
      const cancelEndWithSession = ends.withSession(() => close())
      close = () => {
        open = false
        cancelEndOnStop()
        cancelEndWithSession()
        unlisten()
        clearInterval(beat)
        clearTimeout(end)
        try {
          controller.close()
        } catch {
          // the client has left
        }
      }
      controller.enqueue(encoder.encode('retry: 2000\n\n'))
      readChanges()
    },
    cancel: () => close()
  })
}
