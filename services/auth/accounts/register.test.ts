import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { rows } from '#platform/data/db'
import { PASSWORD, type Rig, rigOf } from '../testing/testing.ts'
import { readCrm } from './crm.ts'

let rig: Rig
let taken: Awaited<ReturnType<Rig['person']>>
beforeAll(async () => {
  rig = await rigOf()
  taken = await rig.person({ crm: '4711-RJ' })
})
afterAll(() => rig?.stop())

type Refusal = { code: string; errors?: { path: string }[] }
const register = (body: unknown, kind = 'patients', options: object = {}) =>
  rig.post<Refusal & Record<string, unknown>>(`/v1/auth/${kind}`, body, options)

test('a patient registers: names in NFC, addresses in lower case, the CPF masked, nothing of the password', async () => {
  const wish = rig.wish({
    name: '  Jose\u0301   da  Silva ',
    email: 'Jose.Silva@Example.com',
    cpf: '390.533.447-05',
    phone: '+55 (11) 98765-4321'
  })
  const { status, body } = await register(wish)
  expect(status).toBe(201)
  expect(body).toEqual({
    id: expect.any(String),
    role: 'patient',
    name: 'Jos\u00e9 da Silva',
    email: 'jose.silva@example.com',
    emailVerified: false,
    cpf: '***.533.447-**',
    phone: '+5511987654321',
    locale: 'pt-BR',
    timezone: 'America/Sao_Paulo',
    createdAt: '2027-01-04T12:00:00Z'
  } as never)
})

test('a doctor registers and is pending; the other services are told', async () => {
  const { body } = await register(rig.wish({ crm: 'crm/sp 000123', locale: 'en', timezone: 'Europe/Lisbon' }), 'doctors')
  expect(body).toMatchObject({ role: 'doctor', crm: '123-SP', approval: 'pending' })
  const [event] = await rig.events('user.registered', String(body.id))
  expect(event?.data).toMatchObject({
    id: body.id,
    crm: '123-SP',
    approval: 'pending',
    locale: 'en',
    timezone: 'Europe/Lisbon',
    version: 1
  })
  expect(JSON.stringify(event)).not.toMatch(/cpf|phone|hash/)
  expect(await rig.events('user.verification_requested', String(body.id))).toHaveLength(1)
})

const marks = ['\u202e', '\u2067', '\u200f', '\u200b', '\u200d', '\u2060', '\u00ad', '\u{e0041}', '\u0007']
const links = [
  'Ganhe R$ 500 em https://golpe.example',
  'hxxps://golpe',
  'www.golpe',
  'Ana golpe.com',
  'Ana golpe．com',
  'golpe。com',
  'bit.ly/abc',
  'ana@golpe.com.br'
]

test('a name with a link or a hidden mark is refused by its path, when registering and when changing it', async () => {
  const { accessToken: token } = await rig.person()
  for (const name of [...links, ...marks.map((mark) => `Ana${mark}Lima`)]) {
    const changed = await rig.call<Refusal>('PATCH', '/v1/auth/me', { token, body: { name } })
    for (const { status, body } of [
      await register(rig.wish({ name })),
      await register(rig.wish({ name, crm: '31-AC' }), 'doctors'),
      changed
    ])
      expect([name, status, body.code, body.errors?.map(({ path }) => path)]).toEqual([name, 422, 'validation_failed', ['/name']])
  }
})

test('titles, initials and dots at the end belong to names', async () => {
  const { accessToken: token } = await rig.person()
  for (const name of ['Dr. Ana', 'Dra.Ana Lima', 'J. P. da Silva', 'J.P. da Silva', 'Ana Jr.', 'Ana Lima, M.Sc.', 'Gal·la Sant’Anna']) {
    const { status, body } = await rig.call<{ name: string }>('PATCH', '/v1/auth/me', { token, body: { name } })
    expect([status, body.name]).toEqual([200, name])
  }
})

const refusals: [what: string, more: () => Record<string, unknown>, status: number, code: string][] = [
  ['a taken address in other letters', () => ({ email: taken.email.toUpperCase() }), 409, 'email_taken'],
  ['a taken CPF', () => ({ cpf: taken.cpf }), 409, 'cpf_taken'],
  ['a taken CRM in another spelling', () => ({ crm: 'CRM-RJ 004711' }), 409, 'crm_taken'],
  ['wrong check digits', () => ({ cpf: '529.982.247-26' }), 422, 'invalid_cpf'],
  ['repeated digits', () => ({ cpf: '111.111.111-11' }), 422, 'invalid_cpf'],
  ['a CPF with letters between', () => ({ cpf: '529a982b247c25' }), 422, 'invalid_cpf'],
  ['a state that is none', () => ({ crm: '123-XX' }), 422, 'invalid_crm'],
  ['eleven digits', () => ({ crm: '12345678901-SP' }), 422, 'invalid_crm'],
  ['a zone that is none', () => ({ timezone: 'America/Nowhere' }), 422, 'invalid_timezone'],
  ['an offset for a zone', () => ({ timezone: '+03:00' }), 422, 'invalid_timezone'],
  ['a short password', () => ({ password: 'elevenchars' }), 422, 'weak_password'],
  ['129 characters', () => ({ password: 'xy'.repeat(65) }), 422, 'weak_password'],
  ['a common password in capitals', () => ({ password: 'PASSWORD1234' }), 422, 'weak_password'],
  ['a common Portuguese password', () => ({ password: 'Corinthians1910'.replace('1910', '2012') }), 422, 'weak_password'],
  ['a run of keys', () => ({ password: '123456789012' }), 422, 'weak_password'],
  ['the local part', () => ({ email: 'marcela@example.com', password: 'sou a Marcela de sempre' }), 422, 'weak_password'],
  ['an address that is none', () => ({ email: 'ana@localhost' }), 422, 'validation_failed'],
  ['two addresses', () => ({ email: 'a@example.com,b@example.com' }), 422, 'validation_failed'],
  ['a line break in an address', () => ({ email: 'a@example.com\r\nBcc: b@example.com' }), 422, 'validation_failed'],
  ['a name of blanks', () => ({ name: '   ' }), 422, 'validation_failed'],
  ['a name that turns the text around', () => ({ name: 'Ana \u202e' }), 422, 'validation_failed'],
  ['a phone without area code', () => ({ phone: '987654321' }), 422, 'validation_failed'],
  ['a language that mails are not written in', () => ({ locale: 'fr' }), 422, 'validation_failed'],
  ['a role of one’s own', () => ({ role: 'admin' }), 422, 'validation_failed'],
  ['an id of one’s own', () => ({ id: crypto.randomUUID() }), 422, 'validation_failed'],
  ['a prototype', () => ({ ['__proto__']: { role: 'admin' } }), 422, 'validation_failed'],
  ['an approval of one’s own', () => ({ crm: '77-SP', approval: 'approved' }), 422, 'validation_failed']
]
test.each(refusals)('refused: %s', async (_, more, status, code) => {
  const wish = rig.wish(more())
  const answer = await register(JSON.stringify(wish), 'crm' in wish ? 'doctors' : 'patients')
  expect([answer.status, answer.body.code]).toEqual([status, code])
})

test('a patient gives no CRM, and a field that is missing is named', async () => {
  expect((await register(rig.wish({ crm: '1-SP' }))).body.code).toBe('validation_failed')
  const { email: _, ...without } = rig.wish()
  const { body } = await register(without)
  expect(body.errors?.map(({ path }) => path)).toEqual(['/email'])
  expect(JSON.stringify(body)).not.toContain(PASSWORD)
})

test('of twenty registrations of one person at once one gets through', async () => {
  const wish = rig.wish()
  const answers = await Promise.all(Array.from({ length: 20 }, () => register(wish, 'patients', { from: '203.0.113.20' })))
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
  expect(answers.filter(({ status, body }) => status === 409 && /^(email|cpf)_taken$/.test(body.code))).toHaveLength(19)
})

test('who keeps asking what is taken has to wait, and nobody else does', async () => {
  const from = '203.0.113.21'
  for (let nth = 0; nth < 50; nth++) expect((await register(rig.wish({ email: taken.email }), 'patients', { from })).status).toBe(409)
  expect((await register(rig.wish(), 'patients', { from })).body.code).toBe('too_many_attempts')
  expect((await register(rig.wish())).status).toBe(201)
})

test('the database holds CPF and phone in no readable form, and moving one to another row breaks it', async () => {
  const person = await rig.person({ cpf: '864.464.227-84', phone: '+5521912345678' })
  const all = await rows<{ text: string }>(rig.sql, SQL`select to_jsonb(users)::text as text from users`)
  expect(JSON.stringify(all)).not.toMatch(/86446422784|864\.464|21912345678/)
  const [row] = await rows<{ cpfSealed: string }>(rig.sql, SQL`select cpf_sealed from users where id = ${person.id}`)
  expect(() => rig.seal.open(row?.cpfSealed ?? '', `users.${taken.id}.cpf`)).toThrow()
})

describe('a CRM is read in its usual spellings', () => {
  test.each(['123456-SP', 'CRM/SP 123456', 'crm-sp 123456', '123456/sp', '123456 SP', 'CRM SP: 123456', 'CRM 123456-SP'])('%s', (text) => {
    expect(readCrm(text)).toBe('123456-SP')
  })
  test.each(['', 'SP', '123456', '0-SP', '123456-ZZ', '12345678901-SP', 'SP-123456-SP', '12 34-SP'])('not %p', (text) => {
    expect(readCrm(text)).toBeUndefined()
  })
})

test('a person changes name, phone, language and zone, and nothing else', async () => {
  const { accessToken: token, id } = await rig.person()
  const patch = (body: unknown) => rig.call<Refusal & Record<string, unknown>>('PATCH', '/v1/auth/me', { token, body })
  const changed = await patch({ name: 'Zoë Nova', phone: '+351 912 345 678', locale: 'en', timezone: 'Europe/Lisbon' })
  expect(changed.body).toMatchObject({ name: 'Zoë Nova', phone: '+351912345678', locale: 'en', timezone: 'Europe/Lisbon' })
  expect((await patch({ phone: null })).body.phone).toBeUndefined()
  const [event] = (await rig.events('user.updated', id)).slice(-1)
  expect(event?.data).toMatchObject({ name: 'Zoë Nova', version: 3 })
  for (const body of [{ role: 'admin' }, { email: 'x@example.com' }, { emailVerified: true }, { cpf: '1' }, {}]) {
    expect((await patch(body)).status).toBe(422)
  }
})
