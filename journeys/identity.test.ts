import { afterAll, beforeAll, expect, test } from 'bun:test'
import { cpf } from 'cpf-cnpj-validator'
import { generate } from 'otplib'
import { eventually } from '#platform/testing/testing'
import { asAdmin, call, logIn, newDoctor, newPatient, PASSWORD, type Person, slotsOf } from './client.ts'
import { type System, startSystem } from './system.ts'

let system: System
let patient: Person

beforeAll(async () => {
  system = await startSystem()
  patient = await newPatient(system, { name: 'Zoë Ação', phone: '+5511987654321', locale: 'en' })
}, 120_000)
afterAll(() => system?.stop(), 30_000)

type Problem = { code: string; errors?: { path: string }[] }
const post = <Body = Problem>(path: string, body?: unknown, token?: string) => call<Body>(system, 'POST', path, { body, token })
const wish = (more: Record<string, unknown> = {}) => ({
  name: 'Ana',
  email: `a-${crypto.randomUUID().slice(0, 8)}@example.com`,
  cpf: cpf.generate(),
  password: PASSWORD,
  ...more
})

test('a registration answers the person with the CPF masked and nothing of the password', async () => {
  const { status, body } = await post<Record<string, unknown>>('/v1/auth/patients', wish({ cpf: '390.533.447-05', name: 'Jose\u0301' }))
  expect(status).toBe(201)
  const { id, email, createdAt, ...told } = body
  expect([typeof id, typeof email, typeof createdAt]).toEqual(['string', 'string', 'string'])
  // these and nothing else: neither password nor hash, and of the CPF what is masked
  expect(told).toEqual({
    role: 'patient',
    name: 'Jos\u00e9',
    emailVerified: false,
    cpf: '***.533.447-**',
    locale: 'pt-BR',
    timezone: 'America/Sao_Paulo'
  })
})

const refused: [what: string, path: string, body: () => Record<string, unknown>, status: number, code: string][] = [
  ['a taken e-mail in other letters', 'patients', () => wish({ email: patient.email.toUpperCase() }), 409, 'email_taken'],
  ['a taken CPF', 'patients', () => wish({ cpf: patient.cpf }), 409, 'cpf_taken'],
  ['wrong check digits', 'patients', () => wish({ cpf: '529.982.247-26' }), 422, 'invalid_cpf'],
  ['repeated digits', 'patients', () => wish({ cpf: '11111111111' }), 422, 'invalid_cpf'],
  ['a state that is none', 'doctors', () => wish({ crm: '123-XX' }), 422, 'invalid_crm'],
  ['eleven digits of CRM', 'doctors', () => wish({ crm: '12345678901-SP' }), 422, 'invalid_crm'],
  ['a short password', 'patients', () => wish({ password: 'curta' }), 422, 'weak_password'],
  ['a common password', 'patients', () => wish({ password: 'Password1234' }), 422, 'weak_password'],
  [
    'a password with the local part',
    'patients',
    () => wish({ email: 'marcela@example.com', password: 'sou a marcela de sempre' }),
    422,
    'weak_password'
  ],
  ['an address that is none', 'patients', () => wish({ email: 'ana' }), 422, 'validation_failed'],
  ['a zone that is none', 'patients', () => wish({ timezone: 'America/Nowhere' }), 422, 'invalid_timezone'],
  ['a role of one’s own', 'patients', () => wish({ role: 'admin' }), 422, 'validation_failed'],
  ['an approval of one’s own', 'doctors', () => wish({ crm: '9-SP', approval: 'approved' }), 422, 'validation_failed'],
  ['an id of one’s own', 'patients', () => wish({ id: crypto.randomUUID() }), 422, 'validation_failed']
]
test.each(refused)('registration: %s', async (_, path, body, status, code) => {
  const answer = await post(`/v1/auth/${path}`, body())
  expect([answer.status, answer.body.code]).toEqual([status, code])
})

test('an unknown person, a wrong password and a locked one get one answer', async () => {
  const unknown = await post('/v1/auth/login', { identifier: 'nobody@example.com', password: PASSWORD })
  const wrong = await post('/v1/auth/login', { identifier: patient.email, password: `${PASSWORD}!` })
  expect([unknown.status, unknown.body.code]).toEqual([401, 'invalid_credentials'])
  expect({ ...wrong.body, requestId: '' }).toEqual({ ...unknown.body, requestId: '' })
})

test('ten failures lock an identifier, and a reset still lets its owner in', async () => {
  const person = await newPatient(system)
  for (let failure = 0; failure < 10; failure++) await post('/v1/auth/login', { identifier: person.email, password: 'not the password' })
  const locked = await post('/v1/auth/login', { identifier: person.email, password: PASSWORD })
  expect([locked.status, locked.body.code]).toEqual([429, 'too_many_attempts'])
  expect(Number(locked.headers.get('retry-after'))).toBeGreaterThan(0)
  await system.mailbox.mailTo(person.email, /./)
  const before = system.mailbox.mails.length
  expect((await post('/v1/auth/password/forgot', { email: person.email })).status).toBe(202)
  await eventually(() => system.mailbox.mails.slice(before).some((mail) => mail.to === person.email && /token=/.test(mail.text)))
  const token = await system.mailbox.tokenFor(person.email)
  const next = 'outra frase bem comprida'
  expect((await post('/v1/auth/password/reset', { token, newPassword: next })).status).toBe(204)
  expect((await post('/v1/auth/password/reset', { token, newPassword: next })).body.code).toBe('token_invalid')
  expect((await logIn(system, person.email, next)).user.id).toBe(person.id)
}, 30_000)

test('a used refresh token ends the session, after the grace of a retry', async () => {
  const first = await logIn(system, patient.email)
  const second = await post<{ refreshToken: string; accessToken: string }>('/v1/auth/refresh', { refreshToken: first.refreshToken })
  expect(second.status).toBe(200)
  const parallel = await post<{ refreshToken: string }>('/v1/auth/refresh', { refreshToken: first.refreshToken })
  expect(parallel.status).toBe(200)
  expect((await post('/v1/auth/refresh', { refreshToken: 'x.y' })).status).toBe(401)
})

test('a person reads and changes what is theirs to change', async () => {
  const me = await call<Record<string, unknown>>(system, 'PATCH', '/v1/auth/me', {
    token: patient.token,
    body: { name: 'Zoë Nova', locale: 'pt-BR' }
  })
  expect(me.body).toMatchObject({ id: patient.id, name: 'Zoë Nova', locale: 'pt-BR', emailVerified: true })
  expect((await call<Problem>(system, 'PATCH', '/v1/auth/me', { token: patient.token, body: { role: 'admin' } })).status).toBe(422)
  expect((await call<Problem>(system, 'GET', '/v1/auth/me')).body.code).toBe('unauthenticated')
})

test('sessions are listed and ended one by one', async () => {
  const { accessToken, refreshToken } = await logIn(system, patient.email)
  type Session = { id: string; current: boolean }
  const { body } = await call<{ items: Session[] }>(system, 'GET', '/v1/auth/sessions', { token: patient.token })
  const mine = await call<{ items: Session[] }>(system, 'GET', '/v1/auth/sessions', { token: accessToken })
  const other = mine.body.items.find((session) => session.current)
  expect(body.items.filter((session) => session.current)).toHaveLength(1)
  expect((await call(system, 'DELETE', `/v1/auth/sessions/${other?.id}`, { token: patient.token })).status).toBe(204)
  expect((await post('/v1/auth/refresh', { refreshToken })).status).toBe(401)
  await eventually(async () => (await call(system, 'GET', '/v1/auth/me', { token: accessToken })).status === 401, 2_500)
})

test('who logs out everywhere is out everywhere', async () => {
  const person = await newPatient(system)
  const other = await logIn(system, person.email)
  expect((await call(system, 'POST', '/v1/auth/logout-all', { token: other.accessToken })).status).toBe(204)
  for (const token of [person.token, other.accessToken]) {
    await eventually(async () => (await call<Problem>(system, 'GET', '/v1/auth/me', { token })).body.code === 'token_revoked', 2_000)
  }
})

test('a verification mail can be asked for again; the key set is public', async () => {
  expect((await call(system, 'POST', '/v1/auth/email/resend', { token: patient.token })).status).toBe(202)
  expect((await post('/v1/auth/email/verify', { token: 'x' })).body.code).toBe('token_invalid')
  const { body } = await call<{ keys: { kid: string; d?: string }[] }>(system, 'GET', '/.well-known/jwks.json')
  expect(body.keys.length).toBeGreaterThan(0)
  expect(body.keys.some((key) => 'd' in key)).toBe(false)
})

test('a changed password ends every other session', async () => {
  const person = await newPatient(system)
  const other = await logIn(system, person.email)
  const change = (currentPassword: string) =>
    post('/v1/auth/password/change', { currentPassword, newPassword: 'mais uma frase nova' }, person.token)
  expect((await change('not the password')).status).toBe(401)
  expect((await change(PASSWORD)).status).toBe(204)
  expect((await call(system, 'GET', '/v1/auth/me', { token: person.token })).status).toBe(200)
  expect((await post('/v1/auth/refresh', { refreshToken: other.refreshToken })).status).toBe(401)
})

test('two-step log-in: a code works once, and so does a recovery code', async () => {
  const person = await newPatient(system)
  const made = await post<{ secret: string; otpauthUri: string }>('/v1/auth/mfa/totp', undefined, person.token)
  expect(made.status).toBe(201)
  expect(made.body.otpauthUri).toStartWith('otpauth://totp/')
  const code = await generate({ secret: made.body.secret })
  const active = await post<{ recoveryCodes: string[] }>('/v1/auth/mfa/totp/activate', { code }, person.token)
  expect(active.body.recoveryCodes).toHaveLength(10)
  const half = async () => (await post<{ mfaToken: string }>('/v1/auth/login', { identifier: person.email, password: PASSWORD })).body
  const first = await half()
  expect(first).toEqual({ mfaRequired: true, mfaToken: first.mfaToken } as never)
  const finish = async (using: string) =>
    post<Problem & { accessToken?: string }>('/v1/auth/login/mfa', { mfaToken: (await half()).mfaToken, code: using })
  expect((await finish(code)).body.code).toBe('mfa_invalid')
  const [recovery = ''] = active.body.recoveryCodes
  expect((await finish(recovery)).body.accessToken).toBeString()
  expect((await finish(recovery)).body.code).toBe('mfa_invalid')
  const remove = (password: string) =>
    call<Problem>(system, 'DELETE', '/v1/auth/mfa/totp', { token: person.token, body: { password, code: active.body.recoveryCodes[1] } })
  expect((await remove('not the password')).body.code).toBe('invalid_credentials')
  expect((await remove(PASSWORD)).status).toBe(204)
  expect((await logIn(system, person.email)).user.id).toBe(person.id)
})

test('an admin approves, rejects with a reason, disables and enables; nobody else does', async () => {
  const admin = await asAdmin(system)
  const doctor = await newDoctor(system)
  await slotsOf(system, doctor.id)
  expect((await post(`/v1/admin/users/${doctor.id}/disable`, undefined, patient.token)).body.code).toBe('forbidden')
  expect((await post(`/v1/admin/users/${doctor.id}/disable`, undefined, admin)).status).toBe(200)
  expect((await post('/v1/auth/login', { identifier: doctor.email, password: 'not the password' })).body.code).toBe('invalid_credentials')
  expect((await post('/v1/auth/login', { identifier: doctor.email, password: PASSWORD })).body.code).toBe('account_disabled')
  await eventually(async () => (await call(system, 'GET', `/v1/doctors/${doctor.id}`)).status === 404)
  const found = await call<{ items: { id: string }[] }>(system, 'GET', `/v1/admin/users?role=doctor&q=${doctor.email}`, { token: admin })
  expect(found.body.items.map(({ id }) => id)).toEqual([doctor.id])
  expect((await post(`/v1/admin/users/${doctor.id}/enable`, undefined, admin)).status).toBe(200)
  const other = await newDoctor(system)
  expect((await post(`/v1/admin/doctors/${other.id}/reject`, {}, admin)).status).toBe(422)
  expect((await post<{ approval: string }>(`/v1/admin/doctors/${other.id}/reject`, { reason: 'CRM inativo' }, admin)).body.approval).toBe(
    'rejected'
  )
  expect((await system.mailbox.mailTo(other.email, /./)).to).toBe(other.email)
})

test('who leaves is cancelled, told of and forgotten', async () => {
  const doctor = await newDoctor(system)
  const leaver = await newPatient(system, { name: 'Anacleto Quaresma', phone: '+5521912345678' })
  const [slot] = await slotsOf(system, doctor.id)
  const booked = await post<{ id: string }>('/v1/appointments', { doctorId: doctor.id, start: slot?.start }, leaver.token)
  const everything = await call<Record<string, unknown>>(system, 'GET', '/v1/auth/me/export', { token: leaver.token })
  expect(JSON.stringify(everything.body)).toContain(booked.body.id)
  expect(
    (await call<Problem>(system, 'DELETE', '/v1/auth/me', { token: leaver.token, body: { password: 'not the password' } })).status
  ).toBe(401)
  expect((await call(system, 'DELETE', '/v1/auth/me', { token: leaver.token, body: { password: PASSWORD } })).status).toBe(202)
  await eventually(
    async () =>
      (await call<{ status: string }>(system, 'GET', `/v1/appointments/${booked.body.id}`, { token: doctor.token })).body.status ===
      'cancelled'
  )
  const { patient: name } = (
    await call<{ patient: { name: string } }>(system, 'GET', `/v1/appointments/${booked.body.id}`, { token: doctor.token })
  ).body
  expect(name.name).not.toContain('Anacleto')
  expect((await post('/v1/auth/login', { identifier: leaver.email, password: PASSWORD })).body.code).toBe('invalid_credentials')
}, 30_000)
