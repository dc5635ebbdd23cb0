import { afterAll, beforeAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { rows, run } from '#platform/data/db'
import { ADMIN, type Rig, rigOf } from '../testing/testing.ts'

let rig: Rig
let admin: string
beforeAll(async () => {
  rig = await rigOf()
  admin = await rig.asAdmin()
})
afterAll(() => rig?.stop())

type User = { id: string; approval?: string; disabled?: boolean; email: string; code?: string }
const act = (path: string, body?: unknown, token = admin) => rig.post<User>(`/v1/admin/${path}`, body, { token })
const trail = async (id: string) =>
  (await rows<{ action: string }>(rig.sql, SQL`select action from audit where subject_id = ${id} and actor_id <> ${id} order by seq`)).map(
    ({ action }) => action
  )

test('an admin approves once, rejects with a reason, and each stands in the audit trail', async () => {
  const doctor = await rig.person({ crm: '1001-SP' })
  expect((await act(`doctors/${doctor.id}/approve`)).body.approval).toBe('approved')
  expect((await act(`doctors/${doctor.id}/approve`)).body.approval).toBe('approved')
  expect(await rig.events('doctor.approved', doctor.id)).toHaveLength(1)
  expect((await act(`doctors/${doctor.id}/reject`, {})).status).toBe(422)
  expect((await act(`doctors/${doctor.id}/reject`, { reason: 'CRM inativo' })).body.approval).toBe('rejected')
  expect((await rig.events('doctor.rejected', doctor.id))[0]?.data).toEqual({ id: doctor.id, reason: 'CRM inativo' })
  expect(await trail(doctor.id)).toEqual(['doctor_approved', 'doctor_rejected'])
})

test('the reason for a rejection holds no invisible characters', async () => {
  const doctor = await rig.person({ crm: '1077-SP' })
  for (const mark of ['\u202e', '\u200b', '\u2028', '\u0007'])
    expect((await act(`doctors/${doctor.id}/reject`, { reason: `Not${mark}found` })).body.code).toBe('validation_failed')
  expect((await act(`doctors/${doctor.id}/reject`, { reason: 'Not found:\nplease send it again' })).body.approval).toBe('rejected')
})

test('a patient is no doctor to approve, and who is not there is not found', async () => {
  const patient = await rig.person()
  for (const id of [patient.id, Bun.randomUUIDv7()]) expect((await act(`doctors/${id}/approve`)).body.code).toBe('doctor_not_found')
  expect((await act(`users/${Bun.randomUUIDv7()}/disable`)).body.code).toBe('not_found')
  expect((await act('users/x/disable')).status).toBe(404)
})

test('disabling ends every session, enabling lets the person in again', async () => {
  const person = await rig.person()
  expect((await act(`users/${person.id}/disable`)).body.disabled).toBe(true)
  await rig.catchUp()
  expect((await rig.call('GET', '/v1/auth/me', { token: person.accessToken })).body.code).toBe('token_revoked')
  expect((await rig.post('/v1/auth/refresh', { refreshToken: person.refreshToken })).status).toBe(401)
  expect((await act(`users/${person.id}/enable`)).body.disabled).toBeUndefined()
  expect((await rig.login(person.email)).user.id).toBe(person.id)
  expect(await trail(person.id)).toEqual(['user_disabled', 'user_enabled'])
})

test('an admin cannot shut out or erase the last admin', async () => {
  const { user, accessToken } = await rig.login(ADMIN.email, ADMIN.password)
  expect((await act(`users/${user.id}/disable`)).body.code).toBe('conflict')
  const erase = await rig.call<{ code: string }>('DELETE', '/v1/auth/me', { token: accessToken, body: { password: ADMIN.password } })
  expect([erase.status, erase.body.code]).toEqual([409, 'conflict'])
})

test('nobody else may', async () => {
  const patient = await rig.person()
  const doctor = await rig.person({ crm: '1002-SP' })
  for (const token of [patient.accessToken, doctor.accessToken]) {
    expect((await rig.call('GET', '/v1/admin/users', { token })).body.code).toBe('forbidden')
    for (const path of [`doctors/${doctor.id}/approve`, `users/${patient.id}/disable`])
      expect((await act(path, undefined, token)).status).toBe(403)
  }
  expect((await rig.call('GET', '/v1/admin/users')).body.code).toBe('unauthenticated')
})

test('people are found by name without accents, address, CRM, CPF, role and approval, page by page', async () => {
  const doctor = await rig.person({ crm: '1003-MG', name: 'Íris Ávila', cpf: '153.509.460-56' })
  const list = async (query: string) =>
    (await rig.call<{ items: User[]; nextCursor: string | null }>('GET', `/v1/admin/users?${query}`, { token: admin })).body
  for (const q of ['iris av', doctor.email.toUpperCase(), 'CRM/MG 1003', '153.509.460-56']) {
    expect((await list(`q=${encodeURIComponent(q)}`)).items.map(({ id }) => id)).toEqual([doctor.id])
  }
  expect((await list('q=%25')).items).toEqual([])
  expect((await list('role=doctor&approval=pending')).items.map(({ id }) => id)).toContain(doctor.id)
  const seen: string[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page = await list(`limit=2${cursor && `&cursor=${cursor}`}`)
    seen.push(...page.items.map(({ id }) => id))
    cursor = page.nextCursor
  }
  expect(new Set(seen).size).toBe(seen.length)
  expect(seen).toContain(doctor.id)
  expect((await rig.call('GET', '/v1/admin/users?cursor=x', { token: admin })).status).toBe(422)
})

test('the service itself can neither change nor delete what the audit trail says', async () => {
  await expect(run(rig.sql, SQL`update audit set action = 'registered'`)).rejects.toThrow('permission denied')
  await expect(run(rig.sql, SQL`delete from audit`)).rejects.toThrow('permission denied')
})
