import { afterAll, afterEach, expect, test } from 'bun:test'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cpf } from 'cpf-cnpj-validator'
import SQL from 'sql-template-strings'
import { connect, one, run, type Sql } from '#platform/data/db'
import { roleUrl } from '#platform/data/provision'
import { eventually } from '#platform/testing/testing'
import { startPostgres } from '../dev/postgres.ts'
import { readSecrets } from '../dev/secrets.ts'
import { loadBackup } from '../ops/restore.ts'
import { type LocalStart, startHere } from './local-start.ts'
import { startMailbox } from './mailbox.ts'

const top = mkdtempSync(join(tmpdir(), 'healthmed-data-'))
const mailbox = await startMailbox()
const settings = { SMTP_URL: `smtp://127.0.0.1:${mailbox.port}` }
const running: LocalStart[] = []
const pools: Sql[] = []
afterEach(async () => {
  await Promise.all(pools.splice(0).map((sql) => sql.end({ timeout: 1 })))
  await Promise.all(running.splice(0).map(({ stop }) => stop()))
}, 60_000)
afterAll(async () => {
  await mailbox.stop()
  rmSync(top, { recursive: true, force: true })
})

async function start(dir: string): Promise<LocalStart & { sql: Sql }> {
  const system = await startHere(dir, settings)
  running.push(system)
  const { adminUrl, database } = system.local()
  const sql = connect(roleUrl(adminUrl, database), { name: 'test', max: 2 })
  pools.push(sql)
  return { ...system, sql }
}
async function stop(system: LocalStart) {
  await Promise.all(pools.splice(0).map((sql) => sql.end({ timeout: 1 })))
  running.splice(running.indexOf(system), 1)
  expect(await system.stop()).toBe(0)
}

const PASSWORD = 'quatro-cavalos-no-pasto-2031'
async function register(system: LocalStart, name: string): Promise<{ email: string; id: string }> {
  const email = `${name.split(' ')[0]?.toLowerCase()}@clinica.example`
  const body = { name, email, cpf: cpf.generate(), password: PASSWORD }
  const { id } = await system.api.want<{ id: string }>('POST', '/v1/auth/patients', { body })
  return { email, id }
}
const mailsTo = (email: string) => mailbox.mails.filter(({ to }) => to === email)
/** Everything that was announced has been handled, and every mail has left. */
const isQuiet = async (sql: Sql) => {
  const { waiting } = await one<{ waiting: number }>(
    sql,
    SQL`select (select count(*) from auth.outbox where sent_at is null) + (select count(*) from scheduling.outbox where sent_at is null)
             + (select count(*) from auth.outbox o where not exists (select 1 from notifier.inbox i where i.event_id = o.id and done_at is not null)
                                                    and o.type <> 'healthmed.user.access_revoked.v1')
             + (select count(*) from notifier.mails where status in ('pending', 'sending')) as waiting`
  )
  return waiting === 0
}

test('the data of a run starts at another path: what its queues held arrives, and every mail leaves exactly once', async () => {
  const [from, to] = [join(top, 'first'), join(top, 'second', 'deeper')]
  const before = await start(from)
  const known = await register(before, 'Olavo Antes')
  await eventually(() => mailsTo(known.email).length === 1)
  await eventually(() => isQuiet(before.sql))
  // nobody reads the queues, and the broker has every event
  for (const name of ['notifier', 'scheduling']) before.signal(name, 'SIGSTOP')
  const late = [await register(before, 'Rita Depois'), await register(before, 'Saulo Depois')]
  await before.api.want('POST', '/v1/auth/password/forgot', { body: { email: known.email } })
  const sent = SQL`select count(*) filter (where sent_at is not null) as sent, count(*) filter (where sent_at is null) as left
                     from auth.outbox where type in ('healthmed.user.verification_requested.v1', 'healthmed.user.password_reset_requested.v1')`
  await eventually(async () => {
    const outbox = await one<{ sent: number; left: number }>(before.sql, sent)
    return outbox.sent === 4 && outbox.left === 0
  })
  await stop(before)
  expect(late.flatMap(({ email }) => mailsTo(email))).toEqual([])

  mkdirSync(join(top, 'second'))
  cpSync(from, to, { recursive: true })
  const after = await start(to)
  expect(after.said()).toContain(`moved or copied from ${join(from, 'rabbitmq')}`)
  for (const { email } of late) await eventually(() => mailsTo(email).length > 0)
  await eventually(() => mailsTo(known.email).length > 1)
  await eventually(() => isQuiet(after.sql))
  expect([known, ...late].map(({ email }) => mailsTo(email).length)).toEqual([2, 1, 1])
  // the links are good ones, and scheduling has learned of everybody
  for (const { email } of late) await after.api.want('POST', '/v1/auth/email/verify', { body: { token: await mailbox.tokenFor(email) } })
  const everybody = [known, ...late].map(({ id }) => id)
  await eventually(async () => {
    const { people } = await one<{ people: number }>(
      after.sql,
      SQL`select count(*) as people from scheduling.people where id = any(${everybody}::uuid[])`
    )
    return people === 3
  })
  expect(await after.api.want('GET', '/health')).toMatchObject({ status: 'up' })
  await stop(after)

  // once more at the same path: nothing is found to be wrong, and nothing leaves again
  const again = await start(to)
  expect(again.said()).not.toContain('moved')
  const newcomer = await register(again, 'Telma Nova')
  await eventually(() => mailsTo(newcomer.email).length === 1)
  await eventually(() => isQuiet(again.sql))
  expect([known, ...late, newcomer].map(({ email }) => mailsTo(email).length)).toEqual([2, 1, 1, 1])
}, 240_000)

/** A data directory as release 0.1.0 left it somewhere else, with events in its queues that nobody had read. */
async function dataOfPreviousRelease(dir: string): Promise<void> {
  const fixture = join(import.meta.dir, 'previous-release')
  mkdirSync(join(dir, 'rabbitmq/data/healthmed@localhost/quorum/healthmed@localhost/2F_X'), { recursive: true })
  writeFileSync(
    join(dir, 'rabbitmq/data/healthmed@localhost/quorum/healthmed@localhost/2F_X/config'),
    '#{system_config => #{data_dir =>\n "/srv/healthmed/.data/rabbitmq/data/healthmed@localhost/quorum/healthmed@localhost"}}.'
  )
  cpSync(join(fixture, 'secrets.json'), join(dir, 'secrets.json'))
  const secrets = readSecrets(dir)
  if (!secrets) throw new Error('the fixture has no secrets')
  const server = await startPostgres({ dir: join(dir, 'postgres'), password: secrets.postgresPassword })
  try {
    const place = { adminUrl: server.url, database: 'healthmed', passwords: secrets.rolePasswords }
    // an account that nobody verified is deleted after a week
    await loadBackup(place, join(fixture, 'backup'), (tx) =>
      run(tx, SQL`update auth.users set created_at = now() where not email_verified`)
    )
  } finally {
    await server.stop()
  }
}

test('the data of the previous release starts under this one: people log in, an appointment is there, no old mail leaves again', async () => {
  const dir = join(top, 'previous')
  await dataOfPreviousRelease(dir)
  const arrived = mailbox.mails.length
  const system = await start(dir)
  expect(system.said()).toContain('moved or copied from /srv/healthmed/.data/rabbitmq')
  const logIn = async (identifier: string, password: string) =>
    (await system.api.want<{ accessToken: string }>('POST', '/v1/auth/login', { body: { identifier, password } })).accessToken
  const token = await logIn('ana.rocha@healthmed.example', 'demo-consulta-2027')
  const { items } = await system.api.want<{ items: unknown[] }>('GET', '/v1/appointments', { token })
  expect(items).toMatchObject([{ status: 'confirmed', reason: 'rotina', doctor: { name: 'Helena Duarte' } }])
  await logIn('admin@healthmed.example', readSecrets(dir)?.adminPassword ?? '')
  // who registered while nobody read the queues is known to every service now
  await eventually(async () => {
    const { known } = await one<{ known: number }>(
      system.sql,
      SQL`select (select count(*) from notifier.people where email = 'iara.antiga@healthmed.example')
               + (select count(*) from scheduling.people where name = 'Iara Antiga') as known`
    )
    return known === 2
  })
  expect(await system.api.want('GET', '/health')).toMatchObject({ status: 'up' })
  expect(mailbox.mails.slice(arrived).filter(({ subject }) => /confirm|solicita/i.test(subject))).toEqual([])
}, 240_000)
