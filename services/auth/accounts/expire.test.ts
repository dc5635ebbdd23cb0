import { afterAll, beforeAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { rows } from '#platform/data/db'
import { PASSWORD, type Rig, rigOf } from '../testing/testing.ts'
import { expireUnverified } from './expire.ts'

let rig: Rig
beforeAll(async () => {
  rig = await rigOf()
})
afterAll(() => rig?.stop())

const expire = () => expireUnverified(rig.sql, rig.seal, rig.now())
const exists = async (id: string) => (await rows(rig.sql, SQL`select 1 from users where id = ${id}`)).length === 1
const verify = async (id: string) => {
  const [event] = await rig.events('user.verification_requested', id)
  expect((await rig.post('/v1/auth/email/verify', { token: event?.data.token })).status).toBe(204)
}

test('an account whose address is not verified goes after seven days, is told to the others, and frees address and CPF', async () => {
  const person = await rig.person({ phone: '+5511987654321' })
  rig.pass({ hours: 24 * 7 - 1 })
  await expire()
  expect(await exists(person.id)).toBe(true)
  const { refreshToken, accessToken } = await rig.login(person.email)
  rig.pass({ hours: 1, seconds: 1 })
  await expire()
  expect(await exists(person.id)).toBe(false)
  const [event] = await rig.events('user.erased', person.id)
  // no farewell: the address is nobody's that we know of
  expect(event?.data).toEqual({ id: person.id, role: 'patient', version: 2, reason: 'unverified' })
  // what was not sent yet is not sent any more
  expect(await rig.events('user.registered', person.id)).toEqual([])
  await rig.catchUp()
  expect((await rig.post('/v1/auth/refresh', { refreshToken })).body.code).toBe('token_revoked')
  expect((await rig.call('GET', '/v1/auth/me', { token: accessToken })).status).toBe(401)
  expect((await rig.post('/v1/auth/login', { identifier: person.email, password: PASSWORD })).body.code).toBe('invalid_credentials')
  const { id, ...wish } = person
  const again = { name: wish.name, email: wish.email, cpf: wish.cpf, password: PASSWORD }
  expect((await rig.post('/v1/auth/patients', again)).status).toBe(201)
  const trail = SQL`select actor_id, action from audit where subject_id = ${id} order by seq desc limit 1`
  expect(await rows<object>(rig.sql, trail)).toEqual([{ actorId: null, action: 'user_expired' }])
})

test('verified people, admins and approved doctors stay; a pending doctor goes', async () => {
  const person = await rig.person()
  await verify(person.id)
  const [approved, pending] = [await rig.person({ crm: '7001-SP' }), await rig.person({ crm: '7002-SP' })]
  await rig.post(`/v1/admin/doctors/${approved.id}/approve`, undefined, { token: await rig.asAdmin() })
  rig.pass({ hours: 24 * 30 })
  await expire()
  expect([await exists(person.id), await exists(approved.id), await exists(pending.id)]).toEqual([true, true, false])
  expect((await rig.asAdmin()).length).toBeGreaterThan(0)
})

test('many go in one run, also while two replicas do it', async () => {
  const people = await Promise.all(Array.from({ length: 12 }, () => rig.person()))
  rig.pass({ hours: 24 * 8 })
  const gone = await Promise.all([expireUnverified(rig.sql, rig.seal, rig.now(), 5), expireUnverified(rig.sql, rig.seal, rig.now(), 5)])
  await expire()
  for (const { id } of people) {
    expect(await exists(id)).toBe(false)
    expect(await rig.events('user.erased', id)).toHaveLength(1)
  }
  expect(gone[0] + gone[1]).toBeLessThanOrEqual(12)
})

test('an account that was registered while verification was optional stays, also when it is required later', async () => {
  const optional = await rigOf({ emailVerification: 'optional' })
  try {
    const person = await optional.person()
    optional.pass({ hours: 24 * 30 })
    expect(await expireUnverified(optional.sql, optional.seal, optional.now())).toBe(0)
    expect((await optional.login(person.email)).user.id).toBe(person.id)
  } finally {
    await optional.stop()
  }
})
