import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { connect as connectBroker } from 'amqplib'
import SQL from 'sql-template-strings'
import { connect, one, rows, run, transaction } from '#platform/data/db'
import { DEAD_LETTERS } from '#platform/events/bus'
import { eventually } from '#platform/testing/testing'
import { type Rig, startRig } from '../testing/testing.ts'

let rig: Rig
let owner: ReturnType<typeof connect>
beforeAll(async () => {
  rig = await startRig()
  owner = connect(rig.database.ownerUrl, { name: 'test', max: 1 })
})
beforeEach(() => run(rig.sql, SQL`delete from dead_letters`))
afterAll(async () => {
  await owner.end({ timeout: 2 })
  await rig.stop()
})

const about = (messageId: string) => ({ queue: 'notifier.events.v1', type: 'x', messageId, reason: 'why' })
const letters = () => rows<{ messageId: string; reason: string }>(rig.sql, SQL`select message_id, reason from dead_letters order by id`)
/** Writes to the dead letters as the broker or a stranger would. */
async function publishRaw(content: string, properties: object) {
  const connection = await connectBroker(rig.vhostUrl)
  const channel = await connection.createConfirmChannel()
  channel.publish(DEAD_LETTERS, '', Buffer.from(content), properties)
  await channel.waitForConfirms()
  await connection.close()
}

test('a letter that is delivered twice is kept once, two with other contents are two, and one without an id always is', async () => {
  for (const content of ['{', '{', '[']) await rig.bus.deadLetter(Buffer.from(content), about('one'))
  await publishRaw('{', { type: 'x' })
  await publishRaw('{', { type: 'x' })
  await rig.bus.deadLetter(Buffer.from('{'), about('last'))
  const kept = await eventually(async () => {
    const found = await letters()
    return found.length >= 5 && found
  })
  expect(kept.map(({ messageId }) => messageId).sort()).toEqual(['', '', 'last', 'one', 'one'])
})

test.each([
  ['a time that is none', { messageId: 'odd-1', headers: { 'x-at': 'yesterday' } }],
  ['a header that no column takes', { messageId: 'odd-2', headers: { 'x-reason': 'a\0b', 'x-queue': 'c\0' }, type: '\0' }],
  ['headers of another kind', { messageId: 'odd-3', headers: { 'x-reason': { deep: true }, 'x-queue': 7 } }]
])('%s does not stop the letters behind it', async (_, properties) => {
  await publishRaw('{}', properties)
  await rig.bus.deadLetter(Buffer.from('{}'), about('behind'))
  await eventually(async () => (await letters()).length === 2)
})

test('letters that come while the database takes none, more than are fetched at once, are all kept when it does again', async () => {
  // a sequence counts the tries, since it does not go back with what failed
  await owner.unsafe(`create sequence tries; grant usage on sequence tries to notifier;
    create function refuse() returns trigger language plpgsql as $$ begin perform nextval('tries'); raise 'not now'; end $$;
    create trigger refuse before insert on dead_letters for each statement execute function refuse()`)
  const ids = Array.from({ length: 30 }, (_, index) => `late-${index}`)
  for (const id of ids) await rig.bus.deadLetter(Buffer.from('{}'), about(id))
  const tries = async () => (await one<{ count: number }>(owner, SQL`select last_value as count from tries`)).count
  // each of the twenty at hand was tried more than six times
  await eventually(async () => (await tries()) > 20 * 6, 25_000)
  await owner.unsafe('drop trigger refuse on dead_letters; drop function refuse; drop sequence tries')
  await eventually(async () => (await letters()).length === 30)
  expect((await letters()).map(({ messageId }) => messageId).sort()).toEqual(ids.sort())
})

test('a letter that fails again while it is still being put back is there afterwards', async () => {
  await rig.bus.deadLetter(Buffer.from('{'), about('again'))
  await eventually(async () => (await letters()).length === 1)
  // as the replay does it: the row goes in the transaction that waits for the broker's confirm
  await transaction(rig.sql, async (tx) => {
    await rows(tx, SQL`select 1 from dead_letters for update`)
    await rig.bus.putBack('notifier.events.v1', Buffer.from('{'), { type: 'x', messageId: 'again' })
    await eventually(async () => (await rows(owner, SQL`select 1 from pg_locks where not granted`)).length > 0)
    await run(tx, SQL`delete from dead_letters`)
  })
  expect(await eventually(async () => (await letters())[0])).toEqual({ messageId: 'again', reason: 'the message is not JSON' })
})
