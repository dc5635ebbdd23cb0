import { afterAll, beforeAll, expect, test } from 'bun:test'
import { PASSWORD, type Rig, rigOf } from '../testing/testing.ts'

let rig: Rig
let admin: string
beforeAll(async () => {
  rig = await rigOf()
  admin = await rig.asAdmin()
})
afterAll(() => rig?.stop())

type Person = Awaited<ReturnType<Rig['person']>>
const revoked = async ({ id }: Person) => (await rig.events('user.access_revoked', id)).map(({ data }) => data)

const resetByMail = async ({ id, email }: Person) => {
  await rig.post('/v1/auth/password/forgot', { email })
  await rig.catchUp()
  const [event] = await rig.events('user.password_reset_requested', id)
  return rig.post('/v1/auth/password/reset', { token: event?.data.token, newPassword: 'outra frase bem comprida' })
}
const ways: [reason: string, way: (person: Person) => Promise<{ status: number }>][] = [
  ['logout_all', ({ accessToken }) => rig.post('/v1/auth/logout-all', undefined, { token: accessToken })],
  ['password_reset', resetByMail],
  ['disabled', ({ id }) => rig.post(`/v1/admin/users/${id}/disable`, undefined, { token: admin })]
]

test.each(ways)('%s ends every session and tells the other services, once', async (reason, way) => {
  const person = await rig.person()
  const second = await rig.login(person.email)
  expect((await way(person)).status).toBeLessThan(300)
  expect(await revoked(person)).toEqual([{ id: person.id, reason }])
  await rig.catchUp()
  for (const { accessToken, refreshToken } of [person, second]) {
    expect((await rig.call('GET', '/v1/auth/me', { token: accessToken })).body.code).toBe('token_revoked')
    expect((await rig.post('/v1/auth/refresh', { refreshToken })).body.code).toBe('token_revoked')
  }
})

test('what ends some sessions only, or a person who is not there any more, is not told as a revocation', async () => {
  const person = await rig.person()
  await rig.post('/v1/auth/logout', undefined, { token: (await rig.login(person.email)).accessToken })
  const sessions = await rig.call<{ id: string; current: boolean }[]>('GET', '/v1/auth/sessions', { token: person.accessToken })
  expect(sessions.status).toBe(200)
  const change = { currentPassword: PASSWORD, newPassword: 'outra frase bem comprida' }
  expect((await rig.post('/v1/auth/password/change', change, { token: person.accessToken })).status).toBe(204)
  await rig.post('/v1/auth/refresh', { refreshToken: person.refreshToken })
  await rig.post('/v1/auth/refresh', { refreshToken: person.refreshToken }, { agent: 'another' })
  expect(await revoked(person)).toEqual([])
})

test('sessions that are opened while all are being ended are either ended as well or come later, by their ids too', async () => {
  const person = await rig.person()
  const [out, ...opened] = await Promise.all([
    rig.post('/v1/auth/logout-all', undefined, { token: person.accessToken }),
    ...Array.from({ length: 8 }, () => rig.login(person.email))
  ])
  expect(out.status).toBe(204)
  const [event] = await rig.sql<
    { id: string }[]
  >`select id from outbox where type = 'healthmed.user.access_revoked.v1' and subject = ${person.id}`
  await rig.catchUp()
  for (const { accessToken } of opened) {
    const { sid } = JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString()) as { sid: string }
    const { status } = await rig.call('GET', '/v1/auth/me', { token: accessToken })
    expect([status, status === 200 ? sid > (event?.id ?? '') : sid < (event?.id ?? '')]).toEqual([status, true])
  }
})

test('a login that waits for its second step is void once access was revoked', async () => {
  const person = await rig.person()
  const id = Bun.randomUUIDv7()
  await rig.sql`insert into mfa_tokens (id, user_id, secret_hash, created_at, expires_at)
                values (${id}, ${person.id}, 'x', ${new Date(rig.now().epochMilliseconds)}, ${new Date(rig.now().add({ minutes: 5 }).epochMilliseconds)})`
  await rig.post('/v1/auth/logout-all', undefined, { token: person.accessToken })
  const [token] = await rig.sql<{ usedAt: Date | null }[]>`select used_at from mfa_tokens where id = ${id}`
  expect(token?.usedAt).not.toBeNull()
})
