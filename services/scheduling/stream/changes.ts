import SQL from 'sql-template-strings'
import { rows, type Sql } from '#platform/db'
import { describeError, log } from '#platform/log'
import { instantText } from '#platform/schema'

/** A change of an appointment as a stream tells it; `seq` orders them and is the event's id. */
type Change = { seq: number; appointmentId: string; action: string; status: string; version: number; at: Date }
/** Gets told that there is something new. */
type Listener = () => void

/** The live changes of this process: one LISTEN on the database, and whoever listens here. */
export type Changes = { listen: (personId: string, listener: Listener) => () => void; stop: () => Promise<void> }

/** Follows the history of every replica by the database's NOTIFY. */
export async function followChanges(sql: Sql): Promise<Changes> {
  const listeners = new Map<string, Set<Listener>>()
  const tell = (personId: string) => {
    for (const listener of listeners.get(personId) ?? []) listener()
  }
  const listening = await sql.listen(
    'scheduling_changes',
    (payload) => {
      const [, doctorId = '', patientId = ''] = payload.split(' ')
      tell(doctorId)
      tell(patientId)
    },
    // after a lost connection nobody knows what was missed: everybody looks
    () => {
      for (const personId of listeners.keys()) tell(personId)
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
    stop: () => listening.unlisten().catch(() => {})
  }
}

const changesAfter = (sql: Sql, personId: string, seq: number) =>
  rows<Change>(
    sql,
    SQL`select seq, appointment_id, action, to_status as status, version, at from history
         where (doctor_id = ${personId}::uuid or patient_id = ${personId}::uuid) and seq > ${seq}::bigint order by seq limit 500`
  )

const newest = async (sql: Sql, personId: string) =>
  (
    await rows<{ seq: number | null }>(
      sql,
      SQL`select max(seq) as seq from history where doctor_id = ${personId}::uuid or patient_id = ${personId}::uuid`
    )
  )[0]?.seq ?? 0

const HEARTBEAT_MS = 15_000
const encoder = new TextEncoder()
const frame = ({ seq, at, ...change }: Change) =>
  `id: ${seq}\nevent: appointment\ndata: ${JSON.stringify({ ...change, at: instantText(at) })}\n\n`

/**
 * The caller's changes as `text/event-stream` from after `lastEventId` on, or from now. A heartbeat every 15 s; ends when the token of the caller does
 * (`until`, Unix ms), so that an ended session hears nothing more.
 */
export function streamOf(
  sql: Sql,
  changes: Changes,
  personId: string,
  lastEventId: number | undefined,
  until: number
): ReadableStream<Uint8Array> {
  let close = () => {}
  return new ReadableStream({
    async start(controller) {
      let seq = lastEventId ?? (await newest(sql, personId))
      let reading = false
      let again = false
      const look = async () => {
        again = true
        if (reading) return
        reading = true
        try {
          while (again) {
            again = false
            for (const change of await changesAfter(sql, personId, seq)) {
              seq = change.seq
              controller.enqueue(encoder.encode(frame(change)))
            }
          }
        } catch (error) {
          log.warn(describeError(error), 'live changes could not be read')
        } finally {
          reading = false
        }
      }
      const unlisten = changes.listen(personId, look)
      const beat = setInterval(() => controller.enqueue(encoder.encode(': still here\n\n')), HEARTBEAT_MS)
      const end = setTimeout(() => close(), Math.max(0, until - Date.now()))
      close = () => {
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
      look()
    },
    cancel: () => close()
  })
}
