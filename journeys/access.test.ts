import { afterAll, beforeAll, expect, test } from 'bun:test'
import { connect } from '#platform/data/db'
import { eventually } from '#platform/testing/testing'
import { asAdmin, call, logIn, newDoctor, newPatient, type Person, slotsOf } from './client.ts'
import { type System, startSystem } from './system.ts'

/* What a person could do ends within two seconds once the access is taken away, at the gateway and at each service called directly. */
let system: System
let admin: string
beforeAll(async () => {
  system = await startSystem()
  admin = await asAdmin(system)
}, 120_000)
afterAll(() => system?.stop(), 30_000)

type Told = { code: string; status: string; id: string; url: string; items: unknown[] }
const LIMIT_MS = 2_000
const get = (url: string, path: string, token: string) => call<Told>({ url }, 'GET', path, { token })
const post = (path: string, token?: string, body?: unknown) => call<Told>(system, 'POST', path, { token, body })

/** Waits until every door answers so. */
const soon = async (doors: [url: string, path: string][], token: string, code: string) => {
  const asked = async () => Promise.all(doors.map(async ([url, path]) => `${path} ${(await get(url, path, token)).body.code}`))
  await eventually(async () => (await asked()).every((answer) => answer.endsWith(` ${code}`)), LIMIT_MS).catch(async () => {
    throw new Error(`still: ${(await asked()).join(', ')}`)
  })
}

test('an admin who was disabled is refused everywhere, though the token was checked and remembered', async () => {
  const person = await newPatient(system)
  const owner = connect(system.database.adminUrl, { name: 'operator', max: 1 })
  await owner.unsafe(`update auth.users set role = 'admin' where id = '${person.id}'`)
  await owner.end()
  const { accessToken } = await logIn(system, person.email)
  const doors: [string, string][] = [
    [system.url, '/v1/admin/users'],
    [system.url, '/v1/admin/notifications'],
    [system.url, '/v1/admin/dead-letters'],
    [system.url, '/ops/state'],
    [system.urlOf('auth'), '/v1/admin/users'],
    [system.urlOf('notifier'), '/v1/admin/notifications'],
    [system.urlOf('notifier'), '/v1/admin/dead-letters']
  ]
  for (const [url, path] of doors) expect([path, (await get(url, path, accessToken)).status]).toEqual([path, 200])
  expect((await post(`/v1/admin/users/${person.id}/disable`, admin)).status).toBe(200)
  // not even for the moment in which the token is still let in
  expect((await post(`/v1/admin/users/${person.id}/enable`, accessToken)).status).toBe(401)
  await soon(doors, accessToken, 'token_revoked')
})

test('a rejected doctor reads no patient’s reason any more, neither with the old token nor with a new one, and the CRM is free', async () => {
  const doctor = await newDoctor(system)
  const patient = await newPatient(system)
  const [slot] = await slotsOf(system, doctor.id)
  const booked = await post('/v1/appointments', patient.token, { doctorId: doctor.id, start: slot?.start, reason: 'Dor no joelho' })
  expect(booked.status).toBe(201)
  const feed = new URL((await post('/v1/calendar-feed', doctor.token)).body.url).pathname
  const paths = ['/v1/appointments', `/v1/appointments/${booked.body.id}`, '/v1/doctors/me/profile', '/v1/events']
  const doors = paths.flatMap((path): [string, string][] => [
    [system.url, path],
    [system.urlOf('scheduling'), path]
  ])
  expect((await get(system.url, `/v1/appointments/${booked.body.id}`, doctor.token)).body).toMatchObject({
    reason: 'Dor no joelho'
  } as object)
  expect((await post(`/v1/admin/doctors/${doctor.id}/reject`, admin, { reason: 'CRM inativo' })).body).toMatchObject({
    approval: 'rejected'
  } as object)
  await soon(doors, doctor.token, 'token_revoked')
  await eventually(async () => (await call(system, 'GET', feed)).status === 404, LIMIT_MS)
  const { accessToken } = await logIn(system, doctor.email)
  await soon(doors, accessToken, 'forbidden')
  expect((await get(system.url, '/v1/auth/me', accessToken)).body).toMatchObject({ approval: 'rejected' } as object)
  const exported = await get(system.url, '/v1/auth/me/export', accessToken)
  expect(exported.status).toBe(200)
  expect(JSON.stringify(exported.body)).not.toMatch(/Dor no joelho/)
  const owner = await newDoctor(system, { crm: doctor.crm })
  expect((await logIn(system, doctor.crm ?? '')).user.id).toBe(owner.id)
})

const ways: [what: string, way: (person: Person) => Promise<{ status: number }>][] = [
  ['logout-all', ({ token }) => post('/v1/auth/logout-all', token)],
  ['disabling', ({ id }) => post(`/v1/admin/users/${id}/disable`, admin)],
  ['erasure', ({ token, password }) => call<Told>(system, 'DELETE', '/v1/auth/me', { token, body: { password } })],
  [
    'a password reset',
    async ({ email }) => {
      await post('/v1/auth/password/forgot', undefined, { email })
      const mail = await system.mailbox.mailTo(email, /senha/i)
      const token = /#token=([\w.~-]+)/.exec(mail.text)?.[1]
      return post('/v1/auth/password/reset', undefined, { token, newPassword: 'outra frase bem comprida' })
    }
  ]
]
test.each(ways)('%s voids the calendar feed within two seconds', async (_, way) => {
  const person = await newPatient(system)
  const feed = new URL((await post('/v1/calendar-feed', person.token)).body.url).pathname
  expect((await call(system, 'GET', feed)).status).toBe(200)
  expect((await way(person)).status).toBeLessThan(300)
  await eventually(async () => (await call(system, 'GET', feed)).status === 404, LIMIT_MS)
})
