import { afterAll, beforeAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { connect, one, run } from '#platform/data/db'
import { testDatabase } from '#platform/testing/testing'
import { claim, type Ended, readClaimed, settle } from './queries.ts'

let database: Awaited<ReturnType<typeof testDatabase>>
beforeAll(async () => {
  database = await testDatabase('notifier')
})
afterAll(() => database?.close())

const MAILS = 600
const AT_ONCE = 20

/** How many entries of the indexes that hold more than one appointment's mails have been read, by connections that have ended. */
const entriesRead = () =>
  one<{ read: number }>(
    database.sql,
    SQL`select sum(idx_tup_read)::int as read from pg_stat_user_indexes
         where indexrelname in ('mails_due', 'mails_of_person', 'mails_by_status') and schemaname = current_schema`
  )

test('what a mail costs does not grow with the mails that wait, nor with those of its recipient', async () => {
  // no statistics know of these mails, as at the begin of any rush
  const worker = connect(database.url, { name: 'test', max: 1 })
  const recipient = crypto.randomUUID()
  await run(
    worker,
    SQL`insert into mails (id, event_id, event_type, event_at, template, recipient_id, appointment_id, version, data, request_id, traceparent, due_at, created_at)
        select gen_random_uuid(), gen_random_uuid(), 'test', now(), 'appointment_requested', ${recipient}, gen_random_uuid(), 1, '{}', 'r', 't',
               now() - make_interval(secs => n), now()
          from generate_series(1, ${MAILS}::int) as n`
  )
  const me = crypto.randomUUID()
  const ended = (id: string): Ended => ({ id, outcome: { result: 'sent', reply: '250' }, now: new Date() })
  let from = new Date(0)
  for (let sent = 0; sent < MAILS; sent += AT_ONCE) {
    const claimed = await claim(worker, me, AT_ONCE, new Date(), from)
    from = new Date(Math.min(...claimed.map(({ wasDueAt }) => wasDueAt.getTime())))
    const mails = await readClaimed(
      worker,
      claimed.map(({ id }) => id)
    )
    expect(mails).toHaveLength(AT_ONCE)
    await settle(
      worker,
      me,
      mails.map(({ id }) => ended(id))
    )
  }
  await worker.end()
  const { read } = await entriesRead()
  expect(read).toBeGreaterThanOrEqual(MAILS)
  expect(read).toBeLessThan(MAILS * 5)
})
