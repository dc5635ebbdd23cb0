import { afterAll, beforeAll, expect, test } from 'bun:test'
import { problemOf, type Replica, type Rig, raw, replica, rig } from './testing/testing.ts'

let service: Replica
let gateway: Rig
beforeAll(async () => {
  service = replica()
  gateway = await rig(service.url, { patience: { answerMs: 1_000, bodyMs: 200 }, origins: 'https://app.example' })
})
afterAll(async () => {
  await gateway.stop()
  await service.stop()
})

const call = (method: string, path: string, init: RequestInit = {}) => fetch(gateway.url + path, { method, ...init })
const json = { 'content-type': 'application/json' }

test('without a token, with a bad one or with another role a call is refused before its body is looked at', async () => {
  const before = service.seen.length
  const ended = await gateway.signer.bearer({ sid: 'over' })
  gateway.signer.end('over')
  const cases: [authorization: string | undefined, status: number, code: string][] = [
    [undefined, 401, 'unauthenticated'],
    ['Basic YTpi', 401, 'unauthenticated'],
    ['Bearer abc', 401, 'token_invalid'],
    [`${await gateway.signer.bearer({})}x`, 401, 'token_invalid'],
    [ended, 401, 'token_revoked'],
    [await gateway.signer.bearer({ role: 'doctor' }), 403, 'forbidden'],
    [await gateway.signer.bearer({ role: 'admin' }), 403, 'forbidden'],
    [await gateway.signer.bearer({ role: 'patient', isRejected: true }), 403, 'forbidden']
  ]
  for (const [authorization, status, code] of cases) {
    const headers = { 'content-type': 'text/plain', ...(authorization && { authorization }) }
    const answer = await call('POST', '/v1/appointments', { headers, body: 'x'.repeat(70_000) })
    const problem = await problemOf(answer)
    expect([answer.status, problem.code, problem.instance]).toEqual([status, code, '/v1/appointments'])
    expect(answer.headers.get('www-authenticate')?.startsWith('Bearer') ?? false).toBe(status === 401)
    expect([answer.headers.get('cache-control'), answer.headers.get('content-type')]).toEqual(['no-store', 'application/problem+json'])
  }
  expect(service.seen.length).toBe(before)
})

test('a public call asks no token, and a bad one does not matter', async () => {
  expect((await call('GET', '/v1/doctors', { headers: { authorization: 'Bearer junk' } })).status).toBe(200)
})

test('a token says who it is while its keys are not known yet: 503 and not 401', async () => {
  const early = await rig(service.url, { keysKnown: () => false })
  const answer = await fetch(`${early.url}/v1/appointments`, { headers: { authorization: await early.signer.bearer({}) } })
  expect([answer.status, (await problemOf(answer)).code]).toEqual([503, 'upstream_unavailable'])
  expect((await fetch(`${early.url}/v1/doctors`)).status).toBe(200)
  await early.stop()
})

test('what is not in the table is not there', async () => {
  const authorization = await gateway.signer.bearer({ role: 'admin' })
  const paths = [
    '/v1/unknown',
    '/v1/doctors/',
    '/v1/appointments/1/2/3',
    '/v1/internal/people/1',
    '/internal/people/1',
    '/internal/ended-sessions',
    '/metrics',
    '/health/ready',
    '/health/live',
    '/V1/doctors',
    '/.well-known/other'
  ]
  const before = service.seen.length
  for (const path of paths) {
    const answer = await call('GET', path, { headers: { authorization } })
    expect([path, answer.status, (await problemOf(answer)).code]).toEqual([path, 404, 'not_found'])
  }
  expect(service.seen.length).toBe(before)
})

test('a path that could be read in two ways reaches nobody', async () => {
  const before = service.seen.length
  const targets = [
    '/v1/doctors/%2e%2e%2fx',
    '/v1/doctors%2f1',
    '/v1//doctors',
    '//v1/doctors',
    '/v1/doctors/..%00',
    '/v1/doctors/a\\b',
    '/v1/doctors/a%5cb',
    '/v1/doctors/;x=1',
    '/v1/doctors/.',
    '/v1/doctors#x',
    '/v1/doctors?q=a#x',
    '/v1/doctors/é',
    `/v1/doctors?q=${'x'.repeat(5_000)}`
  ]
  for (const target of targets) {
    const { text } = await raw(gateway.port, `GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`, 1_000)
    expect([target, text.slice(9, 12)]).toEqual([target, expect.stringMatching(/^40[04]$/)])
  }
  expect(service.seen.length).toBe(before)
})

test('dot segments are resolved before the route is found: what is matched is what is asked of the service', async () => {
  const { text } = await raw(
    gateway.port,
    'GET /v1/auth/%2e%2e/doctors/../slots?a=/../b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n',
    1_000
  )
  expect(text).toContain('"path":"/v1/slots?a=/../b"')
  const { text: up } = await raw(
    gateway.port,
    'GET /v1/doctors/../../internal/people/1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n',
    1_000
  )
  expect(up.slice(9, 12)).toBe('404')
})

test('a short or strange Host does not shift the path', async () => {
  const { text } = await raw(gateway.port, 'GET /aaaa/v1/doctors HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 1_000)
  expect(text.slice(9, 12)).toBe('404')
  for (const host of ['a/b', 'a?b', 'a@b', 'a, b']) {
    const { text } = await raw(gateway.port, `GET /v1/doctors HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`, 1_000)
    expect([host, text.slice(9, 12)]).toEqual([host, '400'])
  }
})

test('another method is 405 with those that there are, OPTIONS tells them', async () => {
  const wrong = await call('PUT', '/v1/appointments', { headers: json, body: '{}' })
  expect([wrong.status, wrong.headers.get('allow'), (await problemOf(wrong)).code]).toEqual([
    405,
    'POST, GET, HEAD, OPTIONS',
    'method_not_allowed'
  ])
  const options = await call('OPTIONS', '/v1/doctors/me/profile')
  expect([options.status, options.headers.get('allow')]).toEqual([204, 'GET, HEAD, PUT, OPTIONS'])
  expect((await call('TRACE', '/v1/doctors')).status).toBe(405)
})

test('a body of another type is 415, one past 64 KiB is 413, with its length and in chunks', async () => {
  const post = (headers: Record<string, string>, body: string | ReadableStream) => call('POST', '/v1/auth/login', { headers, body })
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx', 'application/json-patch+json']) {
    const answer = await post({ 'content-type': type }, '{}')
    expect([type, answer.status, (await problemOf(answer)).code]).toEqual([type, 415, 'unsupported_media_type'])
  }
  expect((await post({ 'content-type': 'Application/JSON; charset=utf-8' }, '{}')).status).toBe(200)
  const most = JSON.stringify('x'.repeat(64 * 1024 - 2))
  expect((await post(json, most)).status).toBe(200)
  const large = await post(json, `${most} `)
  const stream = new ReadableStream({
    pull: (controller) => controller.enqueue(new Uint8Array(9_000)),
    cancel: () => {}
  })
  const endless = await post(json, stream).catch(() => undefined)
  expect([large.status, (await problemOf(large)).code]).toEqual([413, 'body_too_large'])
  if (endless) expect([endless.status, (await problemOf(endless)).code]).toEqual([413, 'body_too_large'])
})

test('a chunked body past the limit is told so while it is being sent', async () => {
  const chunk = `2000\r\n${'x'.repeat(0x2000)}\r\n`
  const head = 'POST /v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n'
  const { text } = await raw(gateway.port, head + chunk.repeat(9), 1_500)
  expect([text.slice(9, 12), text]).toEqual(['413', expect.stringContaining('"code":"body_too_large"')])
})

test('a body that does not come is not waited for', async () => {
  const head = 'POST /v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{'
  const { text } = await raw(gateway.port, head, 2_000)
  expect([text.slice(9, 12), text]).toEqual(['400', expect.stringContaining('"code":"bad_request"')])
})

test('a browser page of a known origin may call, one of another may not', async () => {
  const preflight = (origin: string) =>
    call('OPTIONS', '/v1/appointments', { headers: { origin, 'access-control-request-method': 'POST' } })
  const known = (await preflight('https://app.example')).headers
  expect(known.get('access-control-allow-origin')).toBe('https://app.example')
  expect(known.get('access-control-allow-headers')).toContain('idempotency-key')
  expect((await preflight('https://evil.example')).headers.get('access-control-allow-origin')).toBeNull()
  const refused = await call('GET', '/v1/appointments', { headers: { origin: 'https://app.example' } })
  expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([401, 'https://app.example'])
})
