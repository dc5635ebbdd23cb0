import { afterEach, expect, test } from 'bun:test'
import { freePort } from '#platform/setup/ports'
import { eventually, signer } from '#platform/testing/testing'
import { authOf, type Process, problemOf, startGateway } from './testing/testing.ts'

const running: { stop: () => Promise<void> }[] = []
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop()
})

const auth = (...options: Parameters<typeof authOf>) => {
  const one = authOf(...options)
  running.push(one)
  return one
}
const start = async (...options: Parameters<typeof startGateway>): Promise<Process> => {
  const one = await startGateway(...options)
  running.push(one)
  return one
}

test('tokens of auth are known, and a session that ended is refused within two seconds', async () => {
  const signed = await signer()
  const service = auth(signed)
  const gateway = await start(service.url)
  await eventually(async () => (await fetch(`${gateway.ops}/health/ready`)).ok)
  const headers = { authorization: await signed.bearer({ sid: 's1' }) }
  const me = () => fetch(`${gateway.url}/v1/auth/me`, { headers })
  expect((await me()).status).toBe(200)
  service.ended.push('s1')
  const refused = await eventually(async () => {
    const answer = await me()
    return answer.status === 401 && answer
  }, 2_000)
  expect((await problemOf(refused)).code).toBe('token_revoked')
})

test('it starts while auth is away, serves what is public, and is ready once the keys are there', async () => {
  const signed = await signer()
  const port = freePort()
  const gateway = await start(`http://127.0.0.1:${port}`)
  expect((await fetch(`${gateway.ops}/health/ready`)).status).toBe(503)
  const away = await fetch(`${gateway.url}/v1/appointments`, { headers: { authorization: await signed.bearer({}) } })
  expect([away.status, (await problemOf(away)).code]).toEqual([503, 'upstream_unavailable'])
  const late = auth(signed)
  const relay = Bun.serve({ port, hostname: '127.0.0.1', fetch: (request) => fetch(late.url + new URL(request.url).pathname) })
  await eventually(async () => (await fetch(`${gateway.ops}/health/ready`)).ok)
  await relay.stop(true)
})

test('with auth gone it goes on with the keys that it knows', async () => {
  const signed = await signer()
  const [service, away] = [auth(signed), auth(signed)]
  const gateway = await start(service.url, { AUTH_URL: away.url })
  await eventually(async () => (await fetch(`${gateway.ops}/health/ready`)).ok)
  await away.stop()
  const answer = await fetch(`${gateway.url}/v1/appointments`, { headers: { authorization: await signed.bearer({}) } })
  expect(answer.status).toBe(200)
})

test('asked to end under load it fails no request, ends its event streams, and ends with 0', async () => {
  const signed = await signer()
  const gateway = await start(auth(signed, 20).url)
  await eventually(async () => (await fetch(`${gateway.ops}/health/ready`)).ok)
  const stream = await fetch(`${gateway.url}/v1/events`, { headers: { authorization: await signed.bearer({}) } })
  const ended = stream.text().catch(() => 'cut')
  let answered = 0
  const failures: unknown[] = []
  const client = async () => {
    for (;;) {
      try {
        const answer = await fetch(`${gateway.url}/v1/doctors`)
        await answer.text()
        if (answer.status === 200) answered++
        else failures.push(answer.status)
        // told to leave: the next call of this client goes to another gateway
        if (answer.headers.get('connection') === 'close') return
      } catch (error) {
        failures.push((error as { code?: string }).code)
        return
      }
    }
  }
  const clients = Array.from({ length: 100 }, client)
  await eventually(() => answered > 300)
  const asked = performance.now()
  gateway.child.kill('SIGTERM')
  await Promise.all(clients)
  expect([await gateway.child.exited, failures]).toEqual([0, []])
  expect(performance.now() - asked).toBeLessThan(10_000)
  expect(await ended).toBeString()
}, 20_000)

test('metrics and readiness are on the port of those who run it, and nowhere else', async () => {
  const gateway = await start(auth(await signer()).url)
  await fetch(`${gateway.url}/v1/doctors`)
  const metrics = await (await fetch(`${gateway.ops}/metrics`)).text()
  expect(metrics).toMatch(/healthmed_http_request_seconds_count\{[^}]*route="\/v1\/doctors"/)
  expect(metrics).toContain('healthmed_upstream_replicas')
  for (const path of ['/metrics', '/health/ready', '/health/live']) expect((await fetch(gateway.url + path)).status).toBe(404)
})
