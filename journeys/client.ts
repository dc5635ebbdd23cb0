import { cpf } from 'cpf-cnpj-validator'
import type { System } from './system.ts'

/** An answer of the API with its body read. */
export type Answer<Body = Record<string, unknown>> = { status: number; headers: Headers; body: Body }

/** Calls the API as an outside client would. */
export async function call<Body = Record<string, never>>(
  system: { url: string },
  method: string,
  path: string,
  { token, body, headers = {} }: { token?: string | undefined; body?: unknown; headers?: Record<string, string> } = {}
): Promise<Answer<Body>> {
  const response = await fetch(`${system.url}${path}`, {
    method,
    headers: {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(token && { authorization: `Bearer ${token}` }),
      ...headers
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) })
  })
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    body: (text && /json/.test(response.headers.get('content-type') ?? '') ? JSON.parse(text) : {}) as Body
  }
}

/** A person with what their log-in gave. */
export type Person = {
  id: string
  name: string
  email: string
  cpf: string
  crm?: string
  password: string
  token: string
  refreshToken: string
}

/** The password of every person in the journeys. */
export const PASSWORD = 'uma frase que ninguem adivinha'
let people = 0

type Tokens = { accessToken: string; refreshToken: string; user: { id: string } }

/** Logs in and gives the tokens; throws when refused. */
export async function logIn(system: System, identifier: string, password = PASSWORD): Promise<Tokens> {
  const answer = await call<Tokens>(system, 'POST', '/v1/auth/login', { body: { identifier, password } })
  if (answer.status !== 200) throw new Error(`log-in of ${identifier} was answered ${answer.status}`)
  return answer.body
}

async function register(system: System, path: string, more: Record<string, unknown>): Promise<Person> {
  const email = `p${++people}-${crypto.randomUUID().slice(0, 8)}@example.com`
  const wish = { name: `Pessoa Nº ${people}`, email, cpf: cpf.generate(), password: PASSWORD, ...more }
  const made = await call<{ id: string }>(system, 'POST', path, { body: wish })
  if (made.status !== 201) throw new Error(`registration was answered ${made.status}: ${JSON.stringify(made.body)}`)
  const { accessToken, refreshToken } = await logIn(system, email)
  return {
    id: made.body.id,
    name: wish.name,
    email,
    cpf: wish.cpf,
    password: PASSWORD,
    token: accessToken,
    refreshToken,
    ...('crm' in more && { crm: String(more.crm) })
  }
}

/** A patient who has verified the e-mail address and logged in. */
export async function newPatient(system: System, more: Record<string, unknown> = {}): Promise<Person> {
  const patient = await register(system, '/v1/auth/patients', more)
  const token = await system.mailbox.tokenFor(patient.email)
  await call(system, 'POST', '/v1/auth/email/verify', { body: { token } })
  // the first proof of the address has ended the session from before
  const { accessToken, refreshToken } = await logIn(system, patient.email)
  return { ...patient, token: accessToken, refreshToken }
}

let adminToken: { of: string; token: string } | undefined

/** An access token of the system's first admin. */
export async function asAdmin(system: System): Promise<string> {
  if (adminToken?.of !== system.url) {
    adminToken = { of: system.url, token: (await logIn(system, system.admin.identifier, system.admin.password)).accessToken }
  }
  return adminToken.token
}

const week = [1, 2, 3, 4, 5, 6, 7].map((weekday) => ({ weekday, start: '08:00', end: '18:00' }))

/** An approved doctor with a profile and the same hours on every day of the week. */
export async function newDoctor(
  system: System,
  {
    profile = {},
    slotMinutes = 60,
    rules = week,
    ...more
  }: { profile?: Record<string, unknown>; slotMinutes?: number; rules?: unknown[] } & Record<string, unknown> = {}
): Promise<Person> {
  const crm = `${1000 + Math.floor(Math.random() * 990_000)}-SP`
  const doctor = await register(system, '/v1/auth/doctors', { crm, ...more })
  await call(system, 'POST', `/v1/admin/doctors/${doctor.id}/approve`, { token: await asAdmin(system) })
  const { specialties } = { specialties: [await firstSpecialty(system)] }
  const about = { specialties, price: { amount: 35000, currency: 'BRL' }, timezone: 'America/Sao_Paulo', minNoticeMinutes: 0, ...profile }
  const put = await call(system, 'PUT', '/v1/doctors/me/profile', { token: doctor.token, body: about })
  if (put.status !== 200) throw new Error(`the profile was answered ${put.status}: ${JSON.stringify(put.body)}`)
  const hours = await call(system, 'PUT', '/v1/doctors/me/schedule', { token: doctor.token, body: { slotMinutes, rules } })
  if (hours.status !== 200) throw new Error(`the schedule was answered ${hours.status}: ${JSON.stringify(hours.body)}`)
  return doctor
}

/** The code of some specialty. */
export async function firstSpecialty(system: System): Promise<string> {
  const { body } = await call<{ items: { code: string }[] } & { code: string }[]>(system, 'GET', '/v1/specialties')
  return (body.items ?? body)[0]?.code ?? ''
}

/** The doctor's free slots of the next seven days; waits until the doctor's registration has reached the directory. */
export async function slotsOf(system: System, doctorId: string): Promise<{ start: string; end: string }[]> {
  for (let attempt = 0; ; attempt++) {
    const { status, body } = await call<{ slots: { start: string; end: string }[] }>(system, 'GET', `/v1/doctors/${doctorId}/slots`)
    if (status === 200 && body.slots.length > 0) return body.slots
    if (attempt > 250) throw new Error(`no slots: ${status}`)
    await Bun.sleep(20)
  }
}
