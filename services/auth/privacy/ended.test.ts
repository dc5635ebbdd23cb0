import { afterAll, beforeAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { connect, rows } from '#platform/data/db'
import { PASSWORD, type Rig, rigOf } from '../testing/testing.ts'

/* Who was erased or disabled changes nothing more, though the access token still runs for a second. */
let rig: Rig
let admin: string
beforeAll(async () => {
  rig = await rigOf()
  admin = await rig.asAdmin()
})
afterAll(() => rig?.stop())

type Person = Awaited<ReturnType<Rig['person']>>
const NEXT = 'outra frase bem comprida'

/** Everything that a person can change of the own account. */
const writesOf = (
  { accessToken: token }: Person,
  sid: string
): [what: string, write: () => Promise<{ status: number; body: object }>][] => [
  ['the account', () => rig.call('PATCH', '/v1/auth/me', { token, body: { name: 'Xandre Outro' } })],
  ['the password', () => rig.post('/v1/auth/password/change', { currentPassword: PASSWORD, newPassword: NEXT }, { token })],
  ['a second factor', () => rig.post('/v1/auth/mfa/totp', { password: PASSWORD }, { token })],
  ['another address', () => rig.post('/v1/auth/me/email', { email: 'xandre@example.com', password: PASSWORD }, { token })],
  ['the verification mail', () => rig.post('/v1/auth/email/resend', undefined, { token })],
  ['other sessions', () => rig.call('DELETE', `/v1/auth/sessions/${sid}`, { token })],
  ['erasure', () => rig.call('DELETE', '/v1/auth/me', { token, body: { password: PASSWORD } })]
]

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
const disable = ({ id }: Person) => rig.post(`/v1/admin/users/${id}/disable`, undefined, { token: admin })
const erase = ({ accessToken: token }: Person) => rig.call('DELETE', '/v1/auth/me', { token, body: { password: PASSWORD } })

test.each([
  ['disabled', disable],
  ['erased', erase]
] as const)('who was %s changes nothing more with a token that still runs', async (_, end) => {
  const person = await rig.person()
  const second = await rig.login(person.email)
  const { sid } = JSON.parse(Buffer.from(second.accessToken.split('.')[1] ?? '', 'base64url').toString()) as { sid: string }
  await end(person)
  const before = await dump()
  for (const [what, write] of writesOf(person, sid)) {
    const { status, body } = await write()
    expect([what, status, body]).toMatchObject([what, 401, { code: 'token_revoked' }])
  }
  expect(await dump()).toBe(before)
})

test('the links that were mailed to somebody who was disabled change nothing any more', async () => {
  const person = await rig.person()
  for (let nth = 0; nth < 2; nth++) await rig.post('/v1/auth/password/forgot', { email: person.email })
  await rig.catchUp()
  const sent = async (kind: string) => (await rig.events(`user.${kind}`, person.id)).map(({ data }) => String(data.token))
  const [verify, reset, late] = [...(await sent('verification_requested')), ...(await sent('password_reset_requested'))]
  expect(late).toBeDefined()
  await disable(person)
  // one that a mail of that moment brings
  await rig.sql`update mail_tokens set used_at = null where id = ${late?.split('.')[0] ?? ''}`
  for (const token of [verify, reset, late]) {
    expect((await rig.post('/v1/auth/password/reset', { token, newPassword: NEXT })).body.code).toBe('token_invalid')
    expect((await rig.post('/v1/auth/email/verify', { token })).body.code).toBe('token_invalid')
  }
  const [user] = await rows<{ emailVerified: boolean }>(rig.sql, SQL`select email_verified from users where id = ${person.id}`)
  expect(user?.emailVerified).toBe(false)
})

test('what is being changed at the moment of an erasure is erased or refused', async () => {
  for (let nth = 0; nth < 6; nth++) {
    const person = await rig.person({ name: 'Xandre Único', email: `xandre-unico-${nth}@example.com` })
    const writes = writesOf(person, Bun.randomUUIDv7())
    const answers = await Promise.all([
      ...writes.slice(0, nth).map(([, write]) => write()),
      erase(person),
      ...writes.slice(nth, -1).map(([, write]) => write()),
      rig.login(person.email).catch(() => undefined),
      rig.post('/v1/auth/password/forgot', { email: person.email })
    ])
    for (const answer of answers) if (answer && 'status' in answer) expect(answer.status).toBeLessThan(500)
    await rig.catchUp()
    await rig.parts[0]?.after.settled()
    // a password that was changed first lets the erasure wait for the new one
    const there = await rows(rig.sql, SQL`select 1 from users where id = ${person.id}`)
    if (there.length === 0) expect((await dump()).match(/Xandre|xandre[^"]*/g) ?? []).toEqual([])
    else await rig.sql`delete from users where id = ${person.id}`
    await rig.sql`delete from outbox where subject = ${person.id}`
  }
}, 60_000)
