import { afterAll, beforeAll, expect, test } from 'bun:test'
import { generate } from 'otplib'
import SQL from 'sql-template-strings'
import { rows } from '#platform/data/db'
import { ADMIN, PASSWORD, type Rig, rigOf } from '../testing/testing.ts'

let rig: Rig
let admin: string
let adminId: string
beforeAll(async () => {
  rig = await rigOf()
  const tokens = await rig.login(ADMIN.email, ADMIN.password)
  admin = tokens.accessToken
  adminId = tokens.user.id
})
afterAll(() => rig?.stop())

const reason = { reason: 'Perdeu o celular; identidade conferida no balcão' }
const reset = (id: string, body: unknown = reason, token = admin) =>
  rig.post<{ id: string; code: string; errors?: { path: string }[] }>(`/v1/admin/users/${id}/reset-mfa`, body, { token })
const trail = (id: string) =>
  rows<{ actorId: string }>(rig.sql, SQL`select actor_id from audit where subject_id = ${id} and action = 'mfa_reset'`)

async function enrolled() {
  const person = await rig.person()
  const token = person.accessToken
  const { body } = await rig.post<{ secret: string }>('/v1/auth/mfa/totp', undefined, { token })
  const code = await generate({ secret: body.secret, epoch: Math.floor(rig.now().epochMilliseconds / 1000) })
  await rig.post('/v1/auth/mfa/totp/activate', { code }, { token })
  return person
}

test('an admin removes a lost second factor: the next login asks for no code; it is recorded and mailed with the reason', async () => {
  const person = await enrolled()
  const { status, body } = await reset(person.id)
  expect([status, body.id]).toEqual([200, person.id])
  expect((await rig.login(person.email)).user.id).toBe(person.id)
  expect(await trail(person.id)).toEqual([{ actorId: adminId }])
  const [event] = (await rig.events('user.second_factor_changed', person.id)).slice(-1)
  expect(event?.data).toEqual({ id: person.id, change: 'reset', ...reason })
  // and a new one can be enrolled
  const { accessToken: token } = await rig.login(person.email)
  expect((await rig.post('/v1/auth/mfa/totp', { password: PASSWORD }, { token })).status).toBe(201)
})

test('where there is none, nothing is done, recorded or mailed', async () => {
  const person = await rig.person()
  expect((await reset(person.id)).status).toBe(200)
  expect(await trail(person.id)).toEqual([])
  expect(await rig.events('user.second_factor_changed', person.id)).toEqual([])
})

test('an enrolment that was begun and not activated is removed as well', async () => {
  const person = await rig.person()
  const { body } = await rig.post<{ secret: string }>('/v1/auth/mfa/totp', undefined, { token: person.accessToken })
  await reset(person.id)
  const code = await generate({ secret: body.secret, epoch: Math.floor(rig.now().epochMilliseconds / 1000) })
  expect((await rig.post('/v1/auth/mfa/totp/activate', { code }, { token: person.accessToken })).status).toBe(401)
})

test('a reason is needed, only admins may, nobody may for the own account, and an unknown person is not found', async () => {
  const person = await enrolled()
  for (const body of [{}, { reason: 7 }, { reason: '' }, { reason: 'x'.repeat(501) }])
    expect((await reset(person.id, body)).status).toBe(422)
  expect((await reset(person.id, reason, person.accessToken)).body.code).toBe('forbidden')
  expect((await reset(adminId)).body.code).toBe('conflict')
  expect((await reset(Bun.randomUUIDv7())).body.code).toBe('not_found')
  expect(await trail(person.id)).toEqual([])
})
