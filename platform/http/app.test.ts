import { expect, test } from 'bun:test'
import { Elysia, t } from 'elysia'
import { bearer } from '../identity/caller.ts'
import { signer } from '../testing/testing.ts'
import { handlerOf, http, listen, matches, problems } from './app.ts'
import { Problem } from './problem.ts'
import { Instant, OptionalBody, PageQuery, Uuid } from './schema.ts'

const { verify, bearer: tokenOf } = await signer()
const patient = await tokenOf({ role: 'patient' })
const doctor = await tokenOf({ role: 'doctor' })

const things = new Elysia({ prefix: '/v1/things' })
  .use(bearer(verify, 'patient'))
  .post('', ({ body, status }) => status(201, { name: body.name }), {
    body: t.Object({ name: t.String({ maxLength: 5 }), at: t.Optional(Instant) }, { additionalProperties: false }),
    response: { 201: t.Object({ name: t.String() }) }
  })
  .get('/broken', () => {
    throw new Error('select cpf from people')
  })
  .get('/away', () => {
    throw Object.assign(new Error('write CONNECTION_CLOSED 10.0.0.7:5432'), { code: 'CONNECTION_CLOSED' })
  })
  .get('/wrong', () => ({ name: 5 }) as never, { response: { 200: t.Object({ name: t.String() }) } })
  .get('/taken', () => {
    throw new Problem('slot_taken', undefined, { retryAfter: 0.2 })
  })
  .post('/any', () => 'fine')
  .post('/maybe', ({ body }) => ({ ids: body?.ids ?? 'all' }), { body: OptionalBody(t.Object({ ids: t.Optional(t.Array(Uuid)) })) })
  .get('/:id', ({ params }) => params.id, { params: t.Object({ id: Uuid }) })
const open = new Elysia({ prefix: '/v1/open' }).get('', ({ query }) => ({ limit: query.limit ?? null }), { query: t.Object(PageQuery) })
const handle = handlerOf(new Elysia(http).use(problems).use(things).use(open))

const ask = (method: string, path: string, { body, headers = {} }: { body?: unknown; headers?: Record<string, string> } = {}) =>
  handle(
    new Request(`http://localhost${path}`, {
      method,
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) })
    })
  )
const authorization = { authorization: patient }

type Case = [what: string, answer: () => Promise<Response>, status: number, code: string]
const cases: Case[] = [
  ['no token', () => ask('POST', '/v1/things', { body: { name: 5 } }), 401, 'unauthenticated'],
  [
    'the wrong role, before validation',
    () => ask('POST', '/v1/things', { body: {}, headers: { authorization: doctor } }),
    403,
    'forbidden'
  ],
  ['malformed JSON', () => ask('POST', '/v1/things', { body: '{"na', headers: authorization }), 400, 'malformed_json'],
  ...['{', '[', '"\\', '{"name":"ana"}x', ' ', 'nul', '['.repeat(65_000), '['.repeat(65), `${'['.repeat(65)}${']'.repeat(65)}`].map(
    (body): Case => [
      `a body of ${body.slice(0, 20)}`,
      () => ask('POST', '/v1/things', { body, headers: authorization }),
      400,
      'malformed_json'
    ]
  ),
  ...['{', '[]]'].map(
    (body): Case => [
      `${body} where no body is read`,
      () => ask('POST', '/v1/things/any', { body, headers: authorization }),
      400,
      'malformed_json'
    ]
  ),
  [
    'malformed JSON for a body that may be left out',
    () => ask('POST', '/v1/things/maybe', { body: '{"ids":[', headers: authorization }),
    400,
    'malformed_json'
  ],
  ...['[]', '5', 'null', 'true', '"all"'].map(
    (body): Case => [
      `${body} for an object that may be left out`,
      () => ask('POST', '/v1/things/maybe', { body, headers: authorization }),
      422,
      'validation_failed'
    ]
  ),
  ['a body of null', () => ask('POST', '/v1/things', { body: 'null', headers: authorization }), 422, 'validation_failed'],
  [
    'an unknown field',
    () => ask('POST', '/v1/things', { body: { name: 'ana', role: 'admin' }, headers: authorization }),
    422,
    'validation_failed'
  ],
  [
    'text for a body',
    () => ask('POST', '/v1/things', { body: 'a', headers: { ...authorization, 'content-type': 'text/plain' } }),
    415,
    'unsupported_media_type'
  ],
  [
    'a body too large',
    () => ask('POST', '/v1/things', { body: { name: 'x' }, headers: { ...authorization, 'content-length': '70000' } }),
    413,
    'body_too_large'
  ],
  ['an unknown path', () => ask('GET', '/v1/nothing'), 404, 'not_found'],
  ['a trailing slash', () => ask('GET', '/v1/open/'), 404, 'not_found'],
  ['an id that cannot be one', () => ask('GET', '/v1/things/7', { headers: authorization }), 404, 'not_found'],
  ['NUL in a text', () => ask('POST', '/v1/things', { body: { name: 'a\0' }, headers: authorization }), 422, 'validation_failed'],
  [
    'half a surrogate pair',
    () => ask('POST', '/v1/things', { body: '{"name":"\\ud800"}', headers: authorization }),
    422,
    'validation_failed'
  ],
  ['NUL in the query', () => ask('GET', '/v1/open?cursor=%00'), 422, 'validation_failed'],
  ['a bound of the query', () => ask('GET', '/v1/open?limit=101'), 422, 'validation_failed'],
  ['a number of the query that is none', () => ask('GET', '/v1/open?limit=0x10'), 422, 'validation_failed'],
  ['an unknown error', () => ask('GET', '/v1/things/broken', { headers: authorization }), 500, 'internal_error'],
  ['a database that is away', () => ask('GET', '/v1/things/away', { headers: authorization }), 503, 'upstream_unavailable'],
  ['an answer that breaks its own schema', () => ask('GET', '/v1/things/wrong', { headers: authorization }), 500, 'internal_error'],
  ['a problem thrown by a handler', () => ask('GET', '/v1/things/taken', { headers: authorization }), 409, 'slot_taken']
]

test.each(cases)('%s is answered as a problem', async (_, answer, status, code) => {
  const response = await answer()
  expect(response.status).toBe(status)
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  const body = (await response.json()) as Record<string, unknown>
  expect(body).toMatchObject({ type: `/problems/${code}`, status, code, requestId: response.headers.get('x-request-id') })
  expect(Object.keys(body).sort()).toEqual([
    'code',
    'detail',
    ...(body.errors ? ['errors'] : []),
    'instance',
    'requestId',
    'status',
    'title',
    'type'
  ])
  if (status === 422) expect(body.errors).not.toBeEmpty()
})

test.each(['Application/Json', 'APPLICATION/JSON; charset=UTF-8', 'application/JSON ;charset="utf-8"'])('%s is JSON', async (type) => {
  const answer = await ask('POST', '/v1/things', { body: '{"name":"ana"}', headers: { ...authorization, 'content-type': type } })
  expect([answer.status, await answer.json()]).toEqual([201, { name: 'ana' }])
})

test('a body that may be left out is left out, also where its type is said', async () => {
  for (const headers of [authorization, { ...authorization, 'content-type': 'application/json' }]) {
    const answer = await ask('POST', '/v1/things/maybe', { headers })
    expect([answer.status, await answer.json()]).toEqual([200, { ids: 'all' }])
  }
})

test('nothing of an unknown error or of the input leaves', async () => {
  expect(await (await ask('GET', '/v1/things/broken', { headers: authorization })).text()).not.toContain('select')
  const refused = await ask('POST', '/v1/things', { body: { name: 'correct horse battery' }, headers: authorization })
  const text = await refused.text()
  expect(JSON.parse(text).errors).toEqual([{ path: '/name', message: 'must have at most 5 characters' }])
  expect(text).not.toContain('horse')
})

test('a known path with another method names the methods that it knows', async () => {
  const response = await ask('DELETE', '/v1/open')
  expect(response.status).toBe(405)
  expect(response.headers.get('allow')).toBe('GET, HEAD')
})

test('Retry-After is whole seconds, at least one', async () => {
  expect((await ask('GET', '/v1/things/taken', { headers: authorization })).headers.get('retry-after')).toBe('1')
})

test('a sane request id is taken over, any other is replaced', async () => {
  expect((await ask('GET', '/v1/open', { headers: { 'x-request-id': 'abc-1.2_3' } })).headers.get('x-request-id')).toBe('abc-1.2_3')
  expect((await ask('GET', '/v1/open', { headers: { 'x-request-id': 'a b' } })).headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
})

test('a port in use is an error, and never shared', () => {
  const first = listen(handle, { port: 0, host: '127.0.0.1' })
  try {
    expect(() => listen(handle, { port: first.port, host: '127.0.0.1' })).toThrow()
  } finally {
    first.stop()
  }
})

test('a pattern matches whole segments only', () => {
  expect(matches('/v1/doctors/:id/slots', '/v1/doctors/7/slots')).toBe(true)
  expect(matches('/v1/doctors/:id', '/v1/doctors/')).toBe(false)
  expect(matches('/v1/doctors/:id', '/v1/doctors/7/slots')).toBe(false)
})
