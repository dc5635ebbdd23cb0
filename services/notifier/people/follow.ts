import type { Db } from '#platform/data/db'
import type { Event } from '#platform/events/events'
import { NotYet } from '#platform/events/inbox'
import { enqueue, scrubMailsOf } from '../mails/queries.ts'
import { findPeople, forget, lockPerson, NOT_KNOWN_YET, neverKnown, type Person, remember, wakeWaiting } from './queries.ts'
import { lockWaiting, scrubDeadLetters, scrubWaiting } from './scrub.ts'

/** Keeps name and address of somebody who registered or changed, and wakes the events that waited for them. */
export async function rememberPerson(tx: Db, { data }: Event<'healthmed.user.registered.v1' | 'healthmed.user.updated.v1'>) {
  await remember(tx, data)
  await wakeWaiting(tx)
}

/** Writes a last mail to somebody whose account was erased and forgets them: that mail alone bears its address, until it has left. */
export async function forgetPerson(tx: Db, event: Event<'healthmed.user.erased.v1'>) {
  const { id, role, version } = event.data
  const now = new Date(event.time)
  await lockWaiting(tx, id)
  await lockPerson(tx, id)
  await neverKnown(tx, id, role, version, now)
  const person = await forget(tx, id, version, now)
  await scrubMailsOf(tx, id)
  await scrubWaiting(tx, id)
  await scrubDeadLetters(tx, id)
  // to an address that was never verified nothing more is written
  if (person && event.data.reason !== 'unverified')
    await enqueue(tx, event, [{ template: 'account_erased', recipientId: id, data: { farewell: person } }])
}

/** The people with these ids, in this order. Throws `NotYet` while one of them is not known: their event is on its way. */
export async function requirePeople(tx: Db, ids: string[]): Promise<Person[]> {
  const found = new Map((await findPeople(tx, ids)).map((person) => [person.id, person]))
  return ids.map((id) => {
    const person = found.get(id)
    if (!person) throw new NotYet(NOT_KNOWN_YET)
    return person
  })
}
