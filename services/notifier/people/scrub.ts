import SQL from 'sql-template-strings'
import { type Db, rows, run } from '#platform/data/db'
import { findPeople } from './queries.ts'

/*
 * What stands about an erased person in messages that wait: reasons of declines and cancellations go by whom they are about, whoever wrote them, and
 * what is about the person alone goes as a whole. Why the system itself ended something is about nobody.
 */

/** Locks the events about a person that wait for their next try; whoever is trying one of them comes first. */
export const lockWaiting = (tx: Db, id: string) =>
  run(
    tx,
    SQL`select 1 from inbox where done_at is null and ${id} in (event->'data'->>'patientId', event->'data'->>'doctorId') order by event_id for update`
  )

/** Takes the reasons out of these events. */
export const scrubWaiting = (tx: Db, id: string) =>
  run(
    tx,
    SQL`update inbox set event = jsonb_set(event, '{data}', event->'data' || '{"statusReason": null, "sealedStatusReason": null}')
         where event_id in (
           select event_id from inbox
            where done_at is null and ${id} in (event->'data'->>'patientId', event->'data'->>'doctorId')
              and coalesce(event->'data'->>'statusReason', event->'data'->>'sealedStatusReason') is not null
              and event->'data'->'actor'->>'role' is distinct from 'system'
              for update skip locked)`
  )

/** Does the same to the messages that could not be processed. */
export async function scrubDeadLetters(tx: Db, id: string): Promise<void> {
  const letters = await rows<{ id: string; content: Uint8Array }>(
    tx,
    SQL`select id, content from dead_letters where position(convert_to(${id}, 'UTF8') in content) > 0 order by id for update`
  )
  for (const letter of letters) {
    const content = withoutPeople(Buffer.from(letter.content), new Set([id]))
    if (content) await run(tx, SQL`update dead_letters set content = ${content}::bytea where id = ${letter.id}`)
    else await run(tx, SQL`delete from dead_letters where id = ${letter.id}`)
  }
}

const anyId = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g
const MOST_IDS = 100

/** A message as it may be kept: without what it says about people who were erased by now; undefined where nothing may stay of it. */
export async function withoutErased(tx: Db, content: Buffer): Promise<Buffer | undefined> {
  const ids = [...new Set(content.toString().match(anyId) ?? [])].slice(0, MOST_IDS)
  const erased = (await findPeople(tx, ids)).filter(({ email }) => email === null).map(({ id }) => id)
  return erased.length > 0 ? withoutPeople(content, new Set(erased)) : content
}

function withoutPeople(content: Buffer, erased: Set<string>): Buffer | undefined {
  try {
    const event = JSON.parse(content.toString())
    const { patientId, doctorId, actor, statusReason, sealedStatusReason } = event.data
    // about the person alone, or in a form that says nothing
    if (erased.has(event.subject) || erased.has(event.data.id) || !(erased.has(patientId) || erased.has(doctorId))) return undefined
    if ((statusReason ?? sealedStatusReason ?? null) === null || actor?.role === 'system') return content
    return Buffer.from(JSON.stringify({ ...event, data: { ...event.data, statusReason: null, sealedStatusReason: null } }))
  } catch {
    return undefined
  }
}
