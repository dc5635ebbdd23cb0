import { afterAll, beforeAll, expect, test } from 'bun:test'
import { join } from 'node:path'
import { freePort } from '#platform/setup/ports'
import { eventually, signer, testBroker, testDatabase } from '#platform/testing/testing'
import { type Sink, startSink } from './testing/smtp-sink.ts'

let database: Awaited<ReturnType<typeof testDatabase>>
let vhost: Awaited<ReturnType<typeof testBroker>>
let sink: Sink
let auth: ReturnType<typeof Bun.serve>
let settings: Record<string, string>

beforeAll(async () => {
  database = await testDatabase('notifier')
  vhost = await testBroker()
  sink = await startSink()
  const { jwk } = await signer()
  const answers = { '/.well-known/jwks.json': { keys: [jwk] }, '/internal/ended-sessions': { items: [], now: new Date().toISOString() } }
  auth = Bun.serve({ port: 0, fetch: ({ url }) => Response.json(answers[new URL(url).pathname as keyof typeof answers]) })
  settings = {
    PATH: process.env.PATH ?? '',
    PORT: '0',
    LOG_LEVEL: 'info',
    DATABASE_URL: database.url,
    RABBITMQ_URL: vhost.url,
    ENCRYPTION_KEY: 'a1'.repeat(32),
    AUTH_EVENT_KEY: 'a2'.repeat(32),
    SCHEDULING_EVENT_KEY: 'a3'.repeat(32),
    AUTH_URL: `http://127.0.0.1:${auth.port}`,
    SMTP_URL: sink.url
  }
})
afterAll(async () => {
  await auth.stop(true)
  await sink.close()
  await database.close()
  await vhost.close()
})

const start = (env: Record<string, string | undefined>) =>
  Bun.spawn([process.execPath, join(import.meta.dir, 'main.ts')], { env, stdout: 'pipe', stderr: 'pipe' })

test('it becomes ready, and on SIGTERM stops in order and ends with 0', async () => {
  const port = String(freePort())
  const child = start({ ...settings, PORT: port, DATABASE_POOL: '7' })
  const ready = await eventually(async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => undefined)
    const state = (await answer?.json()) as { checks: Record<string, string> } | undefined
    return state?.checks.broker === 'up' && state.checks.keys === 'up' && state
  })
  expect(ready).toEqual({ status: 'up', checks: { database: 'up', broker: 'up', consumers: 'up', smtp: 'up', keys: 'up' } } as never)
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  expect(metrics).toContain('healthmed_mails_waiting')
  expect(metrics).toContain('healthmed_reminders_total{outcome="dropped"} 0\n')
  expect(metrics).toContain('healthmed_database_retries_total{sqlstate="40P01"} 0\n')
  expect(metrics).toMatch(/^healthmed_database_pool_size\S* 7$/m)
  child.kill('SIGTERM')
  expect(await child.exited).toBe(0)
  const log = await new Response(child.stdout).text()
  expect(log).toContain('"stopped"')
  expect(log).not.toContain('could not be stopped cleanly')
})

test('a mail server that takes a password but has no TLS gets none: readiness and log say why', async () => {
  const port = String(freePort())
  const child = start({ ...settings, PORT: port, SMTP_URL: sink.url.replace('//', '//clinic:hunter2secret@') })
  const ready = await eventually(async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => undefined)
    const state = (await answer?.json()) as { status: string; checks: Record<string, string>; reasons?: Record<string, string> } | undefined
    return state?.checks.broker === 'up' && state.checks.keys === 'up' && state.reasons && state
  })
  expect(ready.status).toBe('degraded')
  expect(ready.checks.smtp).toBe('down')
  expect(ready.reasons?.smtp).toContain('The mail server does not offer STARTTLS, and without TLS no password is sent.')
  child.kill('SIGTERM')
  expect(await child.exited).toBe(0)
  const log = await new Response(child.stdout).text()
  expect(log).toContain('SMTP server cannot be used, retrying in 2 s')
  expect(log).toContain('does not offer STARTTLS')
  expect(log).not.toContain('hunter2secret')
})

test('it names every setting that is wrong or missing and does not start', async () => {
  const child = start({ ...settings, DATABASE_URL: undefined, SMTP_URL: 'http://x', MAIL_FROM: 'Clínica <a@b.c>, <d@e.f>' })
  expect(await child.exited).toBe(78)
  const said = await new Response(child.stderr).text()
  for (const name of ['DATABASE_URL', 'SMTP_URL', 'MAIL_FROM']) expect(said).toContain(name)
  const file = join(import.meta.dir, 'main.ts')
  const other = start({ ...settings, SMTP_URL: `${sink.url}?requireTLS=false`, SMTP_CA_FILE: file })
  expect(await other.exited).toBe(78)
  const named = await new Response(other.stderr).text()
  expect(named).toContain('SMTP_URL is not valid')
  expect(named).toContain('SMTP_CA_FILE names a file whose content is not valid')
})
