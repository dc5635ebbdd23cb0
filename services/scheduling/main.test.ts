import { afterAll, beforeAll, expect, test } from 'bun:test'
import { join } from 'node:path'
import SQL from 'sql-template-strings'
import { rows } from '#platform/data/db'
import { connectBus } from '#platform/events/bus'
import { freePort } from '#platform/setup/ports'
import { eventually, signer, testBroker, testDatabase } from '#platform/testing/testing'
import { eventOf, someDoctor } from './testing/testing.ts'

let database: Awaited<ReturnType<typeof testDatabase>>
let vhost: Awaited<ReturnType<typeof testBroker>>
let auth: ReturnType<typeof Bun.serve>
let bearer: Awaited<ReturnType<typeof signer>>['bearer']
let settings: Record<string, string>

beforeAll(async () => {
  database = await testDatabase('scheduling')
  vhost = await testBroker()
  const keys = await signer()
  bearer = keys.bearer
  const answers = {
    '/.well-known/jwks.json': { keys: [keys.jwk] },
    '/internal/ended-sessions': { items: [], now: new Date().toISOString() }
  }
  auth = Bun.serve({ port: 0, fetch: ({ url }) => Response.json(answers[new URL(url).pathname as keyof typeof answers]) })
  settings = {
    PATH: process.env.PATH ?? '',
    PORT: '0',
    LOG_LEVEL: 'info',
    DATABASE_URL: database.url,
    RABBITMQ_URL: vhost.url,
    INDEX_KEY: '0f'.repeat(32),
    ENCRYPTION_KEY: 'b1'.repeat(32),
    EVENT_KEY: 'b2'.repeat(32),
    AUTH_URL: `http://127.0.0.1:${auth.port}`
  }
})
afterAll(async () => {
  await auth.stop(true)
  await database.close()
  await vhost.close()
})

const start = (env: Record<string, string | undefined>) =>
  Bun.spawn([process.execPath, join(import.meta.dir, 'main.ts')], { env, stdout: 'pipe', stderr: 'pipe' })

test('it becomes ready, takes in who is registered, answers, describes itself, and on SIGTERM stops in order and ends with 0', async () => {
  const port = String(freePort())
  const child = start({ ...settings, PORT: port })
  const url = `http://127.0.0.1:${port}`
  const ready = await eventually(async () => {
    const answer = await fetch(`${url}/health/ready`).catch(() => undefined)
    const state = (await answer?.json()) as { status: string; checks: Record<string, string> } | undefined
    return state?.checks.broker === 'up' && state.checks.keys === 'up' && state
  })
  expect(ready).toEqual({ status: 'up', checks: { database: 'up', broker: 'up', consumers: 'up', events: 'up', keys: 'up' } })

  const doctor = someDoctor()
  const bus = await connectBus({ url: vhost.url, name: 'test' })
  await eventually(bus.connected)
  await bus.publish(eventOf('healthmed.user.registered.v1', doctor))
  await eventually(async () => (await rows(database.sql, SQL`select 1 from doctors where id = ${doctor.id}::uuid`)).length === 1)
  await bus.close()

  const authorization = await bearer({ id: doctor.id, role: 'doctor', name: doctor.name })
  expect((await fetch(`${url}/v1/doctors/me/schedule`, { headers: { authorization } })).status).toBe(200)
  const described = (await (await fetch(`${url}/docs/json`)).json()) as { paths: Record<string, object> }
  expect(Object.keys(described.paths)).toContain('/v1/appointments/{id}/reschedule')
  expect(Object.keys(described.paths).filter((path) => path.includes('internal'))).toEqual([])

  // whoever follows live changes is sent elsewhere, and holds nobody up
  const live = await fetch(`${url}/v1/events`, { headers: { authorization } })
  const heard = live.text()
  child.kill('SIGTERM')
  expect(await child.exited).toBe(0)
  expect(await heard).toStartWith('retry: 2000')
  const log = await new Response(child.stdout).text()
  expect(log).toContain('"stopped"')
  expect(log).not.toContain('could not be stopped cleanly')
  expect(log).not.toContain('"level":"error"')
}, 30_000)

test('it names every setting that is wrong or missing and does not start', async () => {
  const child = start({ ...settings, DATABASE_URL: undefined, EMAIL_VERIFICATION: 'maybe', BOOKING_LIMIT: '0' })
  expect(await child.exited).toBe(78)
  const said = await new Response(child.stderr).text()
  for (const name of ['DATABASE_URL', 'EMAIL_VERIFICATION', 'BOOKING_LIMIT']) expect(said).toContain(name)
})
