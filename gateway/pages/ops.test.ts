import { afterAll, beforeAll, expect, test } from 'bun:test'
import { problemOf, type Rig, replica, rig } from '../testing/testing.ts'
import type { State } from './state.ts'

const metrics = `# HELP healthmed_outbox_depth Events that wait to be published
healthmed_outbox_depth 7
healthmed_outbox_oldest_seconds 2.5
healthmed_process_start_seconds 1800000000
healthmed_process_resident_bytes 104857600
healthmed_build_info{version="9.9.9"} 1
healthmed_queue_messages{queue="notifier.events.v1"} 3
healthmed_mails_waiting 4
healthmed_mails_oldest_seconds 1
healthmed_smtp_up 0
healthmed_dead_letters 2
healthmed_event_loop_lag_seconds{quantile="0.5"} 0.001
healthmed_event_loop_lag_seconds{quantile="0.99"} 0.02
healthmed_http_request_seconds_bucket{le="0.01",method="GET",route="/v1/\\"x",status="200"} 5
healthmed_http_request_seconds_bucket{le="+Inf",method="GET",route="/v1/\\"x",status="200"} 6
healthmed_http_request_seconds_count{method="GET",route="/v1/x",status="200"} 6
healthmed_http_request_seconds_count{method="GET",route="/v1/x",status="503"} 1
`
const service = replica((request) => {
  if (request.url.endsWith('/metrics')) return new Response(metrics)
  return Response.json({ status: 'degraded', checks: { database: 'up', smtp: 'down' } })
})
let gateway: Rig
beforeAll(async () => {
  const gone = replica()
  await gone.stop()
  gateway = await rig({ auth: `${service.url},${gone.url}`, scheduling: service.url, notifier: service.url })
})
afterAll(async () => {
  await gateway.stop()
  await service.stop()
})

const ask = (authorization?: string) => fetch(`${gateway.url}/ops/state`, authorization ? { headers: { authorization } } : {})

test('the state is for administrators', async () => {
  const [nobody, patient] = [await ask(), await ask(await gateway.signer.bearer({ role: 'patient' }))]
  expect([nobody.status, (await problemOf(nobody)).code]).toEqual([401, 'unauthenticated'])
  expect([patient.status, (await problemOf(patient)).code]).toEqual([403, 'forbidden'])
  expect((await ask('Bearer nonsense')).status).toBe(401)
})

test('it has every replica as it says of itself, what waits, and no address', async () => {
  const answer = await ask(await gateway.signer.bearer({ role: 'admin' }))
  const text = await answer.text()
  const state = JSON.parse(text) as State
  expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'no-store'])
  expect(state.processes.map(({ service, replica, status }) => `${service} ${replica} ${status}`)).toEqual([
    'gateway 1 up',
    'auth 1 degraded',
    'auth 2 down',
    'scheduling 1 degraded',
    'notifier 1 degraded'
  ])
  expect(state.processes[1]).toEqual({
    service: 'auth',
    replica: 1,
    status: 'degraded',
    checks: { database: 'up', smtp: 'down' },
    version: '9.9.9',
    startedAt: '2027-01-15T08:00:00.000Z',
    residentBytes: 104_857_600,
    cpuSeconds: 0,
    lagSeconds: 0.02,
    requests: 7,
    serverErrors: 1,
    withinSeconds: [[0.01, 5]]
  })
  expect(state.outbox).toContainEqual({ service: 'scheduling', waiting: 7, oldestSeconds: 2.5 })
  expect([state.queues, state.mails, state.deadLetters]).toEqual([
    [{ queue: 'notifier.events.v1', messages: 3 }],
    { waiting: 4, oldestSeconds: 1, serverUp: false },
    2
  ])
  expect(text).not.toMatch(/127\.0\.0\.1|localhost|http:/)
})

test('the page itself holds nothing, in the language of the reader', async () => {
  for (const [language, words] of [
    ['pt-BR', 'Operação'],
    ['en', 'Operations']
  ] as const) {
    const answer = await fetch(`${gateway.url}/ops`, { headers: { 'accept-language': language } })
    const html = await answer.text()
    expect([answer.status, html]).toEqual([200, expect.stringContaining(`<h1>${words}</h1>`)])
    expect(html).not.toMatch(/<script(?![^>]* src=)|\son\w+=/)
  }
})
