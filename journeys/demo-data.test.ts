import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cpf } from 'cpf-cnpj-validator'
import SQL from 'sql-template-strings'
import { connect, rows, run, type Sql } from '#platform/data/db'
import { eventually } from '#platform/testing/testing'
import { loadDemoData } from '../dev/demo.ts'
import { DEMO_PASSWORD, demoDoctors, demoPatients } from '../dev/demo-people.ts'
import { readDemoRecord, withoutDemoData, writeDemoRecord } from '../dev/demo-record.ts'
import { call, logIn } from './client.ts'
import { type System, startSystem } from './system.ts'

let system: System
let admin: Sql
const dirs: string[] = []
const newDir = () => {
  const dir = mkdtempSync(join(tmpdir(), 'healthmed-demo-'))
  dirs.push(dir)
  return dir
}
beforeAll(async () => {
  system = await startSystem()
  admin = connect(system.database.adminUrl, { name: 'test', max: 2 })
}, 120_000)
afterAll(async () => {
  await admin?.end({ timeout: 1 })
  await system?.stop()
  for (const dir of dirs) rmSync(dir, { recursive: true })
}, 30_000)

const load = (dataDir: string, more: Partial<Parameters<typeof loadDemoData>[0]> = {}) =>
  loadDemoData({ gateway: system.url, admin: system.admin, dataDir, ...more })
const people = async () =>
  (
    await rows<{ email: string; passwordHash: string }>(
      admin,
      SQL`select email, password_hash from auth.users where email <> 'admin@healthmed.example' order by id`
    )
  ).map(({ email, passwordHash }) => `${email} ${passwordHash}`)
const doctors = () => rows(admin, SQL`select id, name, specialties, price_amount, rules, slot_minutes from scheduling.doctors order by id`)
const state = async () => [await people(), await doctors()]
const first = newDir()

test('the first start loads everybody, the next ones nobody', async () => {
  expect(await load(first)).toMatch(/^12 doctors, 3 patients/)
  expect(readDemoRecord(first)?.complete).toBe(true)
  expect(await people()).toHaveLength(15)
  const before = await state()
  expect(await load(first)).toBe('there already')
  expect(await state()).toEqual(before)
}, 60_000)

test('many newer people hide nobody: also without a record, as a release before left it, nothing is loaded again', async () => {
  await run(
    admin,
    SQL`insert into auth.users (id, role, name, name_folded, email, locale, timezone, password_hash, created_at, updated_at)
        select ('ffffffff-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'patient', 'Yara', 'yara', 'yara-' || n || '@healthmed.example', 'pt-BR',
               'America/Sao_Paulo', 'x', now(), now() from generate_series(1, 120) n`
  )
  const before = await state()
  expect(await load(newDir())).toBe('there already')
  expect(await load(first)).toBe('there already')
  expect(await state()).toEqual(before)
}, 60_000)

test('what somebody changed or deleted stays as it is, also where a start broke off in the middle', async () => {
  const [helena, caio] = [demoDoctors[0], demoDoctors[1]]
  const [ana, joao] = demoPatients
  if (!helena || !caio || !ana || !joao) throw new Error('there are no demo people')
  const doctor = (await logIn(system, helena.email, DEMO_PASSWORD)).accessToken
  const profile = { specialties: ['dermatologia'], price: { amount: 1, currency: 'BRL' }, timezone: 'America/Manaus' }
  const { items } = (await call<{ items: { code: string }[] }>(system, 'GET', '/v1/specialties?limit=100')).body
  profile.specialties = [items.at(-1)?.code ?? '']
  expect((await call(system, 'PUT', '/v1/doctors/me/profile', { token: doctor, body: profile })).status).toBe(200)
  const changed = { currentPassword: DEMO_PASSWORD, newPassword: 'cinco-bois-na-ladeira-2031' }
  expect(
    (
      await call(system, 'POST', '/v1/auth/password/change', {
        token: (await logIn(system, caio.email, DEMO_PASSWORD)).accessToken,
        body: changed
      })
    ).status
  ).toBe(204)
  const erased = await call(system, 'DELETE', '/v1/auth/me', {
    token: (await logIn(system, ana.email, DEMO_PASSWORD)).accessToken,
    body: { password: DEMO_PASSWORD }
  })
  expect(erased.status).toBe(202)
  const before = await state()

  expect(await load(first)).toBe('there already')
  expect(await load(newDir())).toBe('there already')
  // broken off: these are ours, and yet somebody has changed them since; João is done
  const broken = newDir()
  const done = [...demoDoctors.slice(2), ...demoPatients.slice(1)].map(({ email }) => email)
  writeDemoRecord(broken, { complete: false, begun: [helena.email, caio.email], done: [...done, ana.email] })
  expect(await load(broken)).toContain(caio.email)
  expect(readDemoRecord(broken)?.complete).toBe(true)
  expect(await state()).toEqual(before)
}, 60_000)

test('a start that broke off is completed by the next one', async () => {
  const dir = newDir()
  const doctor = { ...demoDoctors[0], email: 'begun@healthmed.example', cpf: cpf.generate(), crm: '990001-SP' } as (typeof demoDoctors)[0]
  const body = {
    name: doctor.name,
    email: doctor.email,
    cpf: doctor.cpf,
    crm: doctor.crm,
    password: DEMO_PASSWORD,
    locale: 'pt-BR',
    timezone: doctor.timezone
  }
  expect((await call(system, 'POST', '/v1/auth/doctors', { body })).status).toBe(201)
  writeDemoRecord(dir, { complete: false, begun: [doctor.email], done: [] })
  expect(await load(dir, { doctors: [doctor], patients: [] })).toMatch(/^1 doctors/)
  // scheduling learns of the approval by an event
  await eventually(async () => {
    const [row] = await rows<{ rules: unknown[]; approval: string }>(
      admin,
      SQL`select rules, approval from scheduling.doctors where crm = ${doctor.crm}`
    )
    return row && row.rules.length > 0 && row.approval === 'approved'
  })
}, 60_000)

test('whoever has an address, a CPF or a CRM already keeps it, the others are loaded, and the system starts', async () => {
  const fresh = (name: string, at: number) =>
    ({ ...demoPatients[0], email: `${name}@healthmed.example`, cpf: cpf.generate(), name: `Nome ${'abc'[at]}` }) as (typeof demoPatients)[0]
  const [free, sameCpf, sameEmail] = [fresh('livre', 0), fresh('cpf', 1), fresh('email', 2)]
  const sameCrm = { ...demoDoctors[1], email: 'crm@healthmed.example', cpf: cpf.generate() } as (typeof demoDoctors)[0]
  const taken = { name: 'Outra Pessoa', password: 'cinco-bois-na-ladeira-2031' }
  await call(system, 'POST', '/v1/auth/patients', { body: { ...taken, email: 'outra@healthmed.example', cpf: sameCpf.cpf } })
  await call(system, 'POST', '/v1/auth/patients', { body: { ...taken, email: sameEmail.email, cpf: cpf.generate() } })
  const dir = newDir()
  writeDemoRecord(dir, { complete: false, begun: [], done: [] })
  const said = await load(dir, { doctors: [sameCrm], patients: [free, sameCpf, sameEmail] })
  expect(said).toContain('crm@healthmed.example (crm_taken)')
  expect(said).toContain('cpf@healthmed.example (cpf_taken)')
  expect(said).toContain('email@healthmed.example (there already)')
  expect((await people()).some((person) => person.startsWith(free.email))).toBe(true)
  expect(await load(dir)).toBe('there already')
}, 60_000)

test('an admin who cannot log in, a gateway that is away and data from elsewhere stop nothing', async () => {
  expect(await load(newDir(), { admin: { ...system.admin, password: 'another-password' } })).toBe('left out: invalid_credentials')
  expect(await load(newDir(), { gateway: 'http://127.0.0.1:1' })).toMatch(/^left out: /)
  const limited = Bun.serve({
    port: 0,
    fetch: () => new Response('{"code":"rate_limited"}', { status: 429, headers: { 'content-type': 'application/problem+json' } })
  })
  expect(await load(newDir(), { gateway: `http://127.0.0.1:${limited.port}` })).toBe('left out: rate_limited')
  await limited.stop(true)
  const restored = newDir()
  withoutDemoData(restored)
  expect(await load(restored, { gateway: 'http://127.0.0.1:1' })).toBe('there already')
}, 60_000)
