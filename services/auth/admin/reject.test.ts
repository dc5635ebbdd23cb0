import { afterAll, beforeAll, expect, test } from 'bun:test'
import { decodeJwt } from 'jose'
import SQL from 'sql-template-strings'
import { rows, run } from '#platform/data/db'
import { PASSWORD, type Rig, rigOf } from '../testing/testing.ts'

let rig: Rig
let admin: string
beforeAll(async () => {
  rig = await rigOf()
  admin = await rig.asAdmin()
})
afterAll(() => rig?.stop())

type User = { id: string; approval?: string; disabled?: boolean; code?: string }
const act = (path: string, body?: unknown, token = admin) => rig.post<User>(`/v1/admin/${path}`, body, { token })
const reject = (id: string) => act(`doctors/${id}/reject`, { reason: 'The CRM is somebody else’s' })
const register = (crm: string) => rig.post<User>('/v1/auth/doctors', rig.wish({ crm }))

test('a rejected doctor gives the CRM back: the real owner registers, logs in with it, and the rejected one cannot have it again', async () => {
  const squatter = await rig.person({ crm: '7001-SP' })
  expect((await register('7001-SP')).body.code).toBe('crm_taken')
  expect((await reject(squatter.id)).body).toMatchObject({ approval: 'rejected', crm: '7001-SP' } as object)
  const owner = await rig.person({ crm: 'CRM/SP 7001' })
  expect((await rig.login('7001-SP')).user.id).toBe(owner.id)
  expect((await register('7001-SP')).body.code).toBe('crm_taken')
  const again = await act(`doctors/${squatter.id}/approve`)
  expect([again.status, again.body.code]).toEqual([409, 'crm_taken'])
  expect((await act(`doctors/${owner.id}/approve`)).body.approval).toBe('approved')
})

test('any number of rejected doctors may have had one CRM, and of two who register a free one at once one gets it', async () => {
  for (let nth = 0; nth < 3; nth++) await reject((await rig.person({ crm: '7002-SP' })).id)
  expect((await rig.post('/v1/auth/login', { identifier: '7002-SP', password: PASSWORD })).body.code).toBe('invalid_credentials')
  const both = await Promise.all([1, 2, 3].map(() => register('7002-SP')))
  expect(both.map(({ status, body }) => body.code ?? status).sort()).toEqual([201, 'crm_taken', 'crm_taken'])
})

test('while the CRM is free a rejected doctor may be approved after all', async () => {
  const doctor = await rig.person({ crm: '7003-SP' })
  await reject(doctor.id)
  expect((await act(`doctors/${doctor.id}/approve`)).body.approval).toBe('approved')
  expect((await register('7003-SP')).body.code).toBe('crm_taken')
  const { accessToken } = await rig.login('7003-SP')
  expect(decodeJwt(accessToken)).not.toHaveProperty('approval')
})

test('rejection ends every session; afterwards the person can read, export and erase the account, and the token says what it may not', async () => {
  const doctor = await rig.person({ crm: '7004-SP' })
  await act(`doctors/${doctor.id}/approve`)
  await reject(doctor.id)
  expect((await rig.events('user.access_revoked', doctor.id)).map(({ data }) => data.reason)).toEqual(['rejected'])
  await rig.catchUp()
  expect((await rig.call('GET', '/v1/auth/me', { token: doctor.accessToken })).body.code).toBe('token_revoked')
  expect((await rig.post('/v1/auth/refresh', { refreshToken: doctor.refreshToken })).body.code).toBe('token_revoked')
  const { accessToken: token, refreshToken } = await rig.login(doctor.email)
  expect(decodeJwt(token)).toMatchObject({ role: 'doctor', approval: 'rejected' })
  expect((await rig.call('GET', '/v1/auth/me', { token })).body).toMatchObject({ approval: 'rejected' })
  expect((await rig.call('GET', '/v1/auth/sessions', { token })).status).toBe(200)
  // who is approved again gets a token without the mark from the next refresh on
  await act(`doctors/${doctor.id}/approve`)
  const next = await rig.post<{ accessToken: string }>('/v1/auth/refresh', { refreshToken })
  expect(decodeJwt(next.body.accessToken)).not.toHaveProperty('approval')
  await reject(doctor.id)
  const last = await rig.login(doctor.email)
  expect((await rig.call('DELETE', '/v1/auth/me', { token: last.accessToken, body: { password: PASSWORD } })).status).toBe(202)
})

/** A second admin, as an operator would make one. */
async function anotherAdmin() {
  const person = await rig.person()
  await run(rig.sql, SQL`update users set role = 'admin' where id = ${person.id}`)
  return { ...person, token: (await rig.login(person.email)).accessToken }
}

test('an admin who was disabled decides nothing more, not even while the token still runs', async () => {
  const [other, doctor, patient] = [await anotherAdmin(), await rig.person({ crm: '7005-SP' }), await rig.person()]
  await act(`users/${other.id}/disable`)
  for (const [path, body] of [
    [`users/${other.id}/enable`],
    [`users/${patient.id}/disable`],
    [`doctors/${doctor.id}/approve`],
    [`doctors/${doctor.id}/reject`, { reason: 'x' }],
    [`users/${patient.id}/reset-mfa`, { reason: 'x' }]
  ] as [string, object?][])
    expect([path, (await act(path, body, other.token)).body.code]).toEqual([path, 'token_revoked'])
  expect((await rows(rig.sql, SQL`select 1 from users where id = ${other.id} and disabled`)).length).toBe(1)
})

test('of two admins who disable each other at once one stays', async () => {
  for (let nth = 0; nth < 5; nth++) {
    const [one, two] = [await anotherAdmin(), await anotherAdmin()]
    const answers = await Promise.all([
      act(`users/${two.id}/disable`, undefined, one.token),
      act(`users/${one.id}/disable`, undefined, two.token)
    ])
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401])
  }
})
