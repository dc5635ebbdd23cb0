import { afterAll, beforeAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { one } from '#platform/data/db'
import { registry } from '#platform/setup/metrics'
import { type Rig, rigOf, type Tokens } from '../testing/testing.ts'

let rig: Rig
beforeAll(async () => {
  rig = await rigOf({ replicas: 2 })
})
afterAll(() => rig?.stop())

const refresh = (refreshToken: string, options: object = {}) =>
  rig.post<Tokens & { code?: string }>('/v1/auth/refresh', { refreshToken }, options)
const sidOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).sid as string
const reuses = async (sid: string) =>
  (await one<{ count: number }>(rig.sql, SQL`select count(*) as count from audit where action = 'refresh_reused' and session_id = ${sid}`))
    .count

test('a refresh token gives the next pair of the same session', async () => {
  const first = await rig.person()
  const { status, body } = await refresh(first.refreshToken)
  expect(status).toBe(200)
  expect(body).toMatchObject({ tokenType: 'Bearer', expiresIn: 600, user: { id: first.id } })
  expect(sidOf(body.accessToken)).toBe(sidOf(first.accessToken))
  expect(body.refreshToken).not.toBe(first.refreshToken)
})

test('the count of reuses is there from the start, and each reuse raises it', async () => {
  const count = async () => {
    const line = /^healthmed_problems_total\{route="\/v1\/auth\/refresh",code="refresh_reused"\} (\d+)$/m.exec(await registry.metrics())
    return Number(line?.[1])
  }
  const before = await count()
  expect(before).toBeGreaterThanOrEqual(0)
  const { refreshToken } = await rig.person()
  await refresh(refreshToken)
  rig.pass({ minutes: 1 })
  expect((await refresh(refreshToken)).body.code).toBe('refresh_reused')
  expect(await count()).toBe(before + 1)
})

test('only a hash of it is stored', async () => {
  const { refreshToken } = await rig.person()
  const [id, secret] = refreshToken.split('.')
  const { text } = await one<{ text: string }>(
    rig.sql,
    SQL`select to_jsonb(refresh_tokens)::text as text from refresh_tokens where id = ${id}`
  )
  expect(text).not.toContain(secret as string)
})

test('a second use by another client ends the session and stands in the audit trail', async () => {
  const first = await rig.person()
  const second = await refresh(first.refreshToken)
  const stolen = await refresh(first.refreshToken, { from: '203.0.113.66' })
  expect([stolen.status, stolen.body.code]).toEqual([401, 'refresh_reused'])
  expect((await refresh(second.body.refreshToken)).body.code).toBe('token_revoked')
  expect(await reuses(sidOf(first.accessToken))).toBe(1)
  await rig.catchUp()
  expect((await rig.call('GET', '/v1/auth/me', { token: second.body.accessToken })).body.code).toBe('token_revoked')
})

test('the same client may try again within 10 s; later, or once it went on, it is a second use', async () => {
  const late = await rig.person()
  await refresh(late.refreshToken)
  rig.pass({ seconds: 10 })
  const retry = await refresh(late.refreshToken)
  expect(retry.status).toBe(200)
  rig.pass({ milliseconds: 1 })
  expect((await refresh(late.refreshToken)).body.code).toBe('refresh_reused')

  const gone = await rig.person()
  const next = await refresh(gone.refreshToken)
  await refresh(next.body.refreshToken)
  expect((await refresh(gone.refreshToken)).body.code).toBe('refresh_reused')
})

test('two at once over two replicas give one family and no alarm', async () => {
  const { refreshToken, accessToken } = await rig.person()
  const both = await Promise.all([refresh(refreshToken), refresh(refreshToken)])
  expect(both.map(({ status }) => status)).toEqual([200, 200])
  expect(new Set(both.map(({ body }) => sidOf(body.accessToken)))).toEqual(new Set([sidOf(accessToken)]))
  expect(await reuses(sidOf(accessToken))).toBe(0)
  expect((await refresh(both[0]?.body.refreshToken as string)).status).toBe(200)
})

test('a token runs 30 days, a session 90', async () => {
  const person = await rig.person()
  let { refreshToken } = person
  for (const days of [29, 29, 29]) {
    rig.pass({ hours: 24 * days })
    const { status, body } = await refresh(refreshToken)
    expect(status).toBe(200)
    refreshToken = body.refreshToken
  }
  rig.pass({ hours: 24 * 3 })
  expect((await refresh(refreshToken)).body.code).toBe('token_expired')
  const other = await rig.person()
  rig.pass({ hours: 24 * 30 })
  expect((await refresh(other.refreshToken)).body.code).toBe('token_expired')
})

test.each(['x', 'x.y', `${Bun.randomUUIDv7()}.${'A'.repeat(43)}`, '../../etc', "' or 1=1 --"])('%s is no refresh token', async (token) => {
  const { status, body } = await refresh(token)
  expect([status, body.code]).toEqual([401, 'token_invalid'])
})

test('who logs out is out with this session, or with all', async () => {
  const first = await rig.person()
  const second = await rig.login(first.email)
  expect((await rig.call('POST', '/v1/auth/logout', { token: first.accessToken })).status).toBe(204)
  expect((await refresh(first.refreshToken)).status).toBe(401)
  await rig.catchUp()
  expect((await rig.call('GET', '/v1/auth/me', { token: first.accessToken })).body.code).toBe('token_revoked')
  expect((await rig.call('GET', '/v1/auth/me', { token: second.accessToken })).status).toBe(200)
  const third = await rig.login(first.email)
  expect((await rig.call('POST', '/v1/auth/logout-all', { token: second.accessToken })).status).toBe(204)
  await rig.catchUp()
  for (const { accessToken } of [second, third]) expect((await rig.call('GET', '/v1/auth/me', { token: accessToken })).status).toBe(401)
})

test('sessions are listed with their client and ended one by one; another person’s is none', async () => {
  const first = await rig.person()
  const second = await rig.login(first.email, undefined, { agent: 'Telefone/1.0' })
  type Session = { id: string; userAgent: string; current: boolean; createdAt: string; lastUsedAt: string }
  const { body } = await rig.call<{ items: Session[] }>('GET', '/v1/auth/sessions', { token: first.accessToken })
  expect(body.items.map(({ userAgent, current }) => [userAgent, current]).sort()).toEqual([
    ['Telefone/1.0', false],
    ['test', true]
  ])
  const stranger = await rig.person()
  const sid = sidOf(second.accessToken)
  expect((await rig.call('DELETE', `/v1/auth/sessions/${sid}`, { token: stranger.accessToken })).status).toBe(404)
  expect((await rig.call('DELETE', `/v1/auth/sessions/${sid}`, { token: first.accessToken })).status).toBe(204)
  expect((await rig.call('DELETE', `/v1/auth/sessions/${sid}`, { token: first.accessToken })).status).toBe(404)
  expect((await refresh(second.refreshToken)).body.code).toBe('token_revoked')
})

test('what the gateways ask for names every session that ended since', async () => {
  const { accessToken } = await rig.person()
  const since = rig.now().toString()
  await rig.call('POST', '/v1/auth/logout', { token: accessToken })
  const { body } = await rig.call<{ items: { sid: string }[]; now: string }>('GET', `/internal/ended-sessions?since=${since}`)
  expect(body.items.map(({ sid }) => sid)).toContain(sidOf(accessToken))
  expect(body.now).toBe(rig.now().toString())
})
