import { afterAll, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import SQL from 'sql-template-strings'
import { connect, run } from '#platform/data/db'
import { connectBus } from '#platform/events/bus'
import { testBroker, testDatabase } from '#platform/testing/testing'
import { noteSmtp } from '../dev/local.ts'
import { secretsOf } from '../dev/secrets.ts'
import { clockOf } from './checks.ts'
import { examine } from './doctor.ts'

const database = await testDatabase('scheduling')
const broker = await testBroker()
const place = { ADMIN_DATABASE_URL: process.env.TEST_POSTGRES_URL, DATABASE_NAME: database.name }
const admin = connect(database.adminUrl, { name: 'test', max: 1 })
afterAll(async () => {
  await admin.end({ timeout: 1 })
  await database.close()
  await broker.close()
})

const about = async (what: string, environment: Record<string, string | undefined>) => {
  const found = (await examine(environment)).filter((finding) => finding.what.startsWith(what))
  expect(found.length).toBeGreaterThan(0)
  return found
}

test('a database that is well has nothing but its missing signing key', async () => {
  const wrong = (await examine(place)).filter(({ right }) => !right)
  expect(wrong.map(({ what }) => what)).toEqual(['Signing keys'])
})

test('a wrong password, a dead port and a missing database are told apart, each with what to do', async () => {
  const url = new URL(process.env.TEST_POSTGRES_URL ?? '')
  const withPassword = new URL(url)
  withPassword.password = 'wrong'
  const withPort = new URL(url)
  withPort.port = '1'
  expect((await about('PostgreSQL', { ...place, ADMIN_DATABASE_URL: withPort.href }))[0]?.mend).toContain('Nobody listens')
  expect((await about('PostgreSQL', { ...place, DATABASE_NAME: 'nowhere' }))[0]?.mend).toContain('migrate up')
  expect((await about('PostgreSQL', { ...place, ADMIN_DATABASE_URL: withPassword.href }))[0]?.mend).toContain('password')
})

test('settings of a process are read as it reads them, and each wrong one is named', async () => {
  const found = await about('Settings', { ...place, SERVICE_NAME: 'scheduling', DATABASE_URL: 'mysql://x', DATABASE_POOL: '0' })
  const lines = found.map((finding) => finding.found).join('\n')
  for (const name of ['DATABASE_URL is not valid', 'DATABASE_POOL is not valid', 'RABBITMQ_URL is missing', 'AUTH_URL is missing']) {
    expect(lines).toContain(name)
  }
})

test('of the system that runs here the broker and the mail server are asked too, unless another is named', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'healthmed-local-'))
  try {
    secretsOf(dir)
    noteSmtp(dir, 'smtp://127.0.0.1:1')
    const url = new URL(database.adminUrl)
    const here = { DATA_DIR: dir, POSTGRES_URL: url.href, RABBITMQ_URL: undefined }
    mkdirSync(join(dir, 'rabbitmq'))
    writeFileSync(join(dir, 'rabbitmq/rabbitmq.conf'), 'listeners.tcp.1 = 127.0.0.1:1\n')
    expect((await about('RabbitMQ', here))[0]).toMatchObject({ right: false, found: expect.stringContaining('ECONNREFUSED') })
    expect((await about('Mail server', here))[0]).toMatchObject({ right: false })
    expect((await about('RabbitMQ', { ...here, RABBITMQ_URL: broker.url }))[0]).toMatchObject({ right: true, found: 'connected' })
    const elsewhere = await examine({ ...here, ...place })
    expect(elsewhere.filter(({ what }) => what === 'RabbitMQ' || what === 'Mail server')).toEqual([])
  } finally {
    rmSync(dir, { recursive: true })
  }
})

test('an event that nobody publishes and a dead letter are found', async () => {
  await run(
    admin,
    SQL`insert into auth.outbox (id, type, subject, data, traceparent, request_id, created_at, last_error)
        values (gen_random_uuid(), 't', gen_random_uuid(), '{}', 't', 'r', now() - interval '2 minutes', 'no queue takes this event')`
  )
  await run(admin, SQL`insert into notifier.dead_letters values (gen_random_uuid(), 'q', 't', 'm', 'r', '', now(), now())`)
  const [outbox] = await about('Outbox of auth', place)
  expect(outbox).toMatchObject({ right: false, found: expect.stringContaining('no queue takes this event') })
  expect((await about('Dead letters', place))[0]).toMatchObject({ right: false, found: '1' })
})

test('queues without a reader and queues that are not there are told apart', async () => {
  expect((await about('Queue scheduling', { ...place, RABBITMQ_URL: broker.url }))[0]).toMatchObject({ right: false, found: 'not there' })
  const subscription = { queue: 'scheduling.events.v1', bindings: ['x'], prefetch: 1, onMessage: async () => {} }
  const bus = await connectBus({ url: broker.url, name: 'test', subscription })
  for (const deadline = Date.now() + 10_000; !bus.connected() && Date.now() < deadline; ) await Bun.sleep(20)
  expect((await about('Queue scheduling', { ...place, RABBITMQ_URL: broker.url }))[0]).toMatchObject({
    right: true,
    found: '0 ready, 1 consumers'
  })
  await bus.stopConsuming()
  expect((await about('Queue scheduling', { ...place, RABBITMQ_URL: broker.url }))[0]).toMatchObject({
    right: false,
    found: '0 ready, 0 consumers'
  })
  await bus.close()
})

test('a broker and a mail server that are not there are said to be away', async () => {
  const away = { ...place, RABBITMQ_URL: 'amqp://nobody:nothing@127.0.0.1:1', SMTP_URL: 'smtp://127.0.0.1:1' }
  expect((await about('RabbitMQ', away))[0]).toMatchObject({ right: false, mend: expect.stringContaining('RABBITMQ_URL') })
  expect((await about('Mail server', away))[0]).toMatchObject({ right: false })
})

test('a clock that is three seconds off is seen', async () => {
  expect((await clockOf(admin, () => Date.now() + 3_000)).right).toBe(false)
  expect((await clockOf(admin)).right).toBe(true)
})
