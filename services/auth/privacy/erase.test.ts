import { afterAll, beforeAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { connect, rows } from '#platform/data/db'
import { PASSWORD, type Rig, rigOf } from '../testing/testing.ts'

let rig: Rig
const asked: { path: string; authorization: string | null }[] = []
const peer = Bun.serve({
  port: 0,
  fetch: (request) => {
    asked.push({ path: new URL(request.url).pathname, authorization: request.headers.get('authorization') })
    return Response.json({ held: 'something' })
  }
})
beforeAll(async () => {
  rig = await rigOf({ peers: { scheduling: `http://127.0.0.1:${peer.port}`, notifier: `http://127.0.0.1:${peer.port}` } })
})
afterAll(async () => {
  await peer.stop(true)
  await rig?.stop()
})

/** Every row of every table of the schema as text. */
async function dump(): Promise<string> {
  const owner = connect(rig.database.ownerUrl, { name: 'dump', max: 1 })
  const tables = await rows<{ name: string }>(owner, SQL`select tablename as name from pg_tables where schemaname = 'auth'`)
  const texts = await Promise.all(
    tables.map(({ name }) => owner.unsafe(`select coalesce(jsonb_agg(t), '[]')::text as text from auth."${name}" t`))
  )
  await owner.end()
  return texts.map(([row]) => String(row?.text)).join('\n')
}

test('an export has everything, unmasked, and asks the others with the caller’s own token', async () => {
  const person = await rig.person({ cpf: '168.995.350-09', phone: '+5531912345678' })
  const { status, body } = await rig.call<Record<string, Record<string, unknown>>>('GET', '/v1/auth/me/export', {
    token: person.accessToken
  })
  expect(status).toBe(200)
  expect(body.auth?.account).toMatchObject({ id: person.id, email: person.email, cpf: '16899535009', phone: '+5531912345678' })
  expect(body.auth?.sessions).toHaveLength(1)
  expect(JSON.stringify(body.auth?.audit)).toContain('registered')
  expect(body.scheduling).toEqual({ held: 'something' })
  const path = `/internal/people/${person.id}/export`
  expect(asked.filter((call) => call.path === path).map(({ authorization }) => authorization)).toEqual(
    Array(2).fill(`Bearer ${person.accessToken}`)
  )
})

test('who erases the account is nowhere in the database any more', async () => {
  const person = await rig.person({
    name: 'Anacleto Quaresma',
    email: 'anacleto.q@example.com',
    cpf: '746.971.314-01',
    phone: '+5541998765432',
    crm: '90909-PR'
  })
  await rig.post('/v1/auth/password/forgot', { email: person.email })
  await rig.catchUp()
  await rig.post('/v1/auth/mfa/totp', undefined, { token: person.accessToken })
  const seen = /Anacleto|Quaresma|anacleto|74697131401|746\.971|41998765432|90909-?PR/
  expect(await dump()).toMatch(seen)
  const erase = (password: string) =>
    rig.call<{ code?: string }>('DELETE', '/v1/auth/me', { token: person.accessToken, body: { password } })
  expect((await erase('wrong')).body.code).toBe('invalid_credentials')
  expect((await erase(PASSWORD)).status).toBe(202)
  expect(await dump()).not.toMatch(seen)
  expect((await rig.events('user.erased', person.id))[0]?.data).toEqual({ id: person.id, role: 'doctor', version: 2 })
  expect((await rig.call('GET', '/v1/auth/me', { token: person.accessToken })).body.code).toBe('token_revoked')
  expect((await rig.post('/v1/auth/refresh', { refreshToken: person.refreshToken })).body.code).toBe('token_revoked')
  await rig.catchUp()
  expect((await rig.call('GET', '/v1/auth/sessions', { token: person.accessToken })).body.code).toBe('token_revoked')
  expect((await rig.post('/v1/auth/login', { identifier: person.email, password: PASSWORD })).body.code).toBe('invalid_credentials')
  expect((await rig.person({ email: person.email, cpf: person.cpf })).id).not.toBe(person.id)
})

test('events that were sent keep their data until they are purged, so an erasure takes them away, too', async () => {
  const person = await rig.person({ name: 'Anacleto Quaresma' })
  await rig.sql.unsafe(`update outbox set sent_at = now() where subject = '${person.id}'`)
  expect(await dump()).toMatch(/Anacleto/)
  await rig.call('DELETE', '/v1/auth/me', { token: person.accessToken, body: { password: PASSWORD } })
  expect(await dump()).not.toMatch(/Anacleto/)
  expect(await rig.events('user.registered', person.id)).toEqual([])
})
