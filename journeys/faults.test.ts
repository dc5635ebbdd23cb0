import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { connect, one, rows, type Sql } from '#platform/data/db'
import { eventually } from '#platform/testing/testing'
import { call, newDoctor, newPatient, type Person, slotsOf } from './client.ts'
import { type System, startSystem } from './system.ts'

/*
 * A process dies at each point between a booking and its two mails. No code of the system knows of this: a lock that the test holds, a line that it
 * freezes or a mail server that it makes wait keeps the process at the point, and there it is killed.
 */
let system: System
let watch: Sql
let doctor: Person
let patient: Person

beforeAll(async () => {
  system = await startSystem({ BOOKING_LIMIT: '100', BOOKING_LIMIT_PER_SPECIALTY: '100' })
  watch = connect(system.database.adminUrl, { name: 'watch', max: 4, statementTimeoutMs: 60_000 })
  doctor = await newDoctor(system)
  patient = await newPatient(system)
  await eventually(async () => (await unfinished()) === 0)
}, 120_000)
afterAll(async () => {
  await watch?.end({ timeout: 2 })
  await system?.stop()
}, 30_000)
beforeEach(() => system.broker.heal())

/** What has not come to its end yet, of outbox, inbox and mails. */
const unfinished = async () =>
  (
    await one<{ count: number }>(
      watch,
      SQL`select (select count(*) from auth.outbox where sent_at is null) + (select count(*) from scheduling.outbox where sent_at is null)
               + (select count(*) from scheduling.inbox where done_at is null) + (select count(*) from notifier.inbox where done_at is null)
               + (select count(*) from notifier.mails where status in ('pending', 'sending')) as count`
    )
  ).count

async function book(): Promise<string> {
  const slots = await slotsOf(system, doctor.id)
  const { status, body } = await call<{ id: string }>(system, 'POST', '/v1/appointments', {
    token: patient.token,
    body: { doctorId: doctor.id, start: slots[0]?.start }
  })
  expect(status).toBe(201)
  return body.id
}

const mailsAbout = (id: string, to: string) =>
  system.mailbox.mails.filter((mail) => mail.to === to && String(mail.parsed.references ?? '').includes(id))

/** Within 30 s of the restart everything has come to its end: one mail for each party, or where `atMost` says so a copy with the same Message-ID. */
async function healed(id: string, atMost = 1) {
  const parties = [doctor, patient]
  await eventually(async () => parties.every(({ email }) => mailsAbout(id, email).length > 0) && (await unfinished()) === 0, 30_000)
  for (const { email } of parties) {
    const mails = mailsAbout(id, email)
    expect(mails.length).toBeWithin(1, atMost + 1)
    expect(new Set(mails.map(({ parsed }) => parsed.messageId)).size).toBe(1)
  }
}

/** Holds rows locked, in a transaction of the test's own, until it is let go. */
async function locking(statement: string): Promise<() => Promise<void>> {
  let letGo = () => {}
  const gone = new Promise<void>((resolve) => {
    letGo = resolve
  })
  let locked = () => {}
  const isLocked = new Promise<void>((resolve) => {
    locked = resolve
  })
  const transaction = watch.begin(async (tx) => {
    await tx.unsafe('set local idle_in_transaction_session_timeout = 0')
    await tx.unsafe(statement)
    locked()
    await gone
  })
  await Promise.race([isLocked, transaction])
  return async () => {
    letGo()
    await transaction
  }
}

/** How many sessions wait for a lock, of the service with this name. */
const waitingFor = (service: string) =>
  eventually(async () => {
    const waiting = await rows(
      watch,
      SQL`select 1 from pg_stat_activity where datname = current_database() and usename = ${service} and wait_event_type = 'Lock'`
    )
    return waiting.length > 0
  })

async function dies(name: 'scheduling' | 'notifier', atPoint: () => Promise<unknown>) {
  await atPoint()
  await system.kill(name)
}

test('after the commit, before anything is published', async () => {
  system.brokerOf('scheduling').cut()
  const id = await book()
  await system.kill('scheduling')
  system.broker.heal()
  await system.start('scheduling')
  await healed(id)
}, 120_000)

test('after the publish, before the confirm', async () => {
  const before = (await one<{ count: number }>(watch, SQL`select count(*) as count from notifier.inbox`)).count
  const line = system.brokerOf('scheduling')
  line.deafen()
  const id = await book()
  await dies('scheduling', () =>
    eventually(async () => (await one<{ count: number }>(watch, SQL`select count(*) as count from notifier.inbox`)).count > before)
  )
  expect(await rows(watch, SQL`select 1 from scheduling.outbox where subject = ${id}::uuid and sent_at is null`)).toHaveLength(1)
  line.heal()
  await system.start('scheduling')
  await healed(id)
}, 120_000)

test('after the confirm, before the row is marked', async () => {
  const claimed = system.brokerOf('scheduling')
  claimed.deafen()
  const id = await book()
  // the relay waits for its confirm: what is locked now is what it will mark
  await eventually(
    async () =>
      (await rows(watch, SQL`select 1 from scheduling.outbox where subject = ${id}::uuid and lease_token is not null`)).length === 1
  )
  const letGo = await locking(`select 1 from scheduling.outbox where subject = '${id}' for update`)
  claimed.listen()
  await dies('scheduling', () => waitingFor('scheduling'))
  await letGo()
  claimed.heal()
  await system.start('scheduling')
  await healed(id)
}, 120_000)

test('after the event was taken in, before a mail is claimed', async () => {
  await system.mailbox.close()
  const id = await book()
  await dies('notifier', () =>
    eventually(
      async () =>
        (await rows(watch, SQL`select 1 from notifier.mails where appointment_id = ${id}::uuid and status = 'pending'`)).length === 2
    )
  )
  await system.mailbox.open()
  await system.start('notifier')
  await healed(id)
}, 120_000)

test('after the claim, before the mail server has heard of it', async () => {
  await system.kill('notifier')
  // the notifier asks once at its start whether the mail server is there
  const goOn = system.mailbox.holdGreetings(1)
  await system.start('notifier').catch(() => {})
  const id = await book()
  await dies('notifier', () =>
    eventually(
      async () =>
        (await rows(watch, SQL`select 1 from notifier.mails where appointment_id = ${id}::uuid and status = 'sending'`)).length > 0,
      20_000
    )
  )
  expect(mailsAbout(id, patient.email)).toHaveLength(0)
  goOn()
  await system.start('notifier')
  await healed(id)
}, 90_000)

test('after the mail server’s 250, before the row is marked: here a copy may go, with the same Message-ID', async () => {
  let letGo: (() => Promise<void>) | undefined
  system.mailbox.beforeTaken(async (mail) => {
    if (letGo || mail.to !== patient.email) return
    letGo = await locking(`select 1 from notifier.mails where recipient_id = '${patient.id}' and status = 'sending' for update`)
  })
  const id = await book()
  await eventually(() => letGo !== undefined)
  await dies('notifier', () => waitingFor('notifier'))
  system.mailbox.beforeTaken(undefined)
  await letGo?.()
  await system.start('notifier')
  await healed(id, 2)
}, 90_000)

test('after the effect, before the message is acknowledged', async () => {
  const letGo = await locking('lock table notifier.appointments in exclusive mode')
  const id = await book()
  await waitingFor('notifier')
  // what it says from now on reaches nobody
  const line = system.brokerOf('notifier')
  line.freeze()
  await letGo()
  await dies('notifier', () =>
    eventually(async () => (await rows(watch, SQL`select 1 from notifier.mails where appointment_id = ${id}::uuid`)).length === 2)
  )
  line.heal()
  await system.start('notifier')
  await healed(id)
}, 90_000)
