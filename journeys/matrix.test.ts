import { afterAll, beforeAll, expect, test } from 'bun:test'
import { cpf } from 'cpf-cnpj-validator'
import SQL from 'sql-template-strings'
import { connect, run } from '#platform/data/db'
import { eventually } from '#platform/testing/testing'
import { routes, services } from '../gateway/routes.ts'
import { asAdmin, call, firstSpecialty, logIn, newDoctor, newPatient, PASSWORD, type Person } from './client.ts'
import { type Access, type Actor, actors, matrix, type Row, type Subject, type World } from './matrix.ts'
import { type System, startSystem } from './system.ts'

type Body = {
  code: string
  id: string
  url: string
  expiresAt: string
  slots: { start: string }[]
  items: { id: string; status: string }[]
}
type Token = string | undefined
let system: System
let people: Record<Exclude<Actor, 'nobody' | 'admin'>, Person>
let tokens: Record<Actor, Token>
let world: World
let starts: string[]

beforeAll(async () => {
  system = await startSystem({ BOOKING_LIMIT_PER_SPECIALTY: '100', BOOKING_LIMIT: '100' })
  const [patientA, patientB, disabled] = [await newPatient(system), await newPatient(system), await newPatient(system)]
  const [doctorA, doctorB] = [await newDoctor(system), await newDoctor(system)]
  people = { patientA, patientB, doctorA, doctorB, disabled }
  const admin = await asAdmin(system)
  tokens = {
    nobody: undefined,
    admin,
    ...(Object.fromEntries(Object.entries(people).map(([name, { token }]) => [name, token])) as Record<keyof typeof people, string>)
  }
  await call(system, 'POST', `/v1/admin/users/${disabled.id}/disable`, { token: admin })
  const days = `?from=${Temporal.Now.plainDateISO().add({ days: 2 })}&to=${Temporal.Now.plainDateISO().add({ days: 60 })}`
  starts = await eventually(async () => {
    const { body } = await ask('GET', `/v1/doctors/${doctorA.id}/slots${days}`)
    return body.slots?.length ? body.slots.map(({ start }) => start) : undefined
  })
  const fresh = () => ({ name: 'Ana', email: `${crypto.randomUUID()}@example.com`, cpf: cpf.generate(), password: PASSWORD })
  world = { doctorA: doctorA.id, freeSlot: () => starts.pop() as string, fresh, specialty: await firstSpecialty(system) }
  // each is asked for what it would refuse anyhow: with 403 until it has heard of the disabling, with 401 from then on
  const checks = {
    gateway: '/v1/admin/users',
    auth: '/v1/admin/users',
    scheduling: '/v1/doctors/me/profile',
    notifier: '/v1/admin/notifications'
  }
  for (const [name, path] of Object.entries(checks))
    await eventually(async () => (await ask('GET', path, { token: disabled.token, url: system.urlOf(name as 'auth') })).status === 401)
}, 120_000)
afterAll(() => system?.stop(), 30_000)

/** Calls and reads the answer, but for a stream, which has no end and is left. */
async function ask(method: string, path: string, { token, body, url = system.url }: { token?: Token; body?: unknown; url?: string } = {}) {
  const answer = await fetch(url + path, {
    method,
    headers: { ...(token && { authorization: `Bearer ${token}` }), ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) })
  })
  const isJson = /json/.test(answer.headers.get('content-type') ?? '')
  if (!isJson) await answer.body?.cancel()
  return { status: answer.status, headers: answer.headers, body: (isJson ? await answer.json() : {}) as Body }
}
const made = async (path: string, actor: Actor, body?: unknown) => {
  const answer = await ask('POST', path, { token: tokens[actor], body })
  if (answer.status >= 300) throw new Error(`${path} was answered ${answer.status} ${answer.body.code}`)
  return answer.body
}
const booked = async () => (await made('/v1/appointments', 'patientA', { doctorId: world.doctorA, start: world.freeSlot() })).id
const confirmed = async () => {
  const id = await booked()
  await made(`/v1/appointments/${id}/confirm`, 'doctorA')
  return id
}

let nth = 0
/** Makes what an id in a path stands for, as somebody's own; gives the id. */
const subjects: Record<Subject, (owner: Actor) => Promise<string>> = {
  doctor: async () => world.doctorA,
  exception: async () => {
    const day = Temporal.PlainDate.from('2031-03-01').add({ days: nth++ }).toString()
    await made('/v1/doctors/me/exceptions', 'doctorA', { kind: 'closed', from: day, to: day })
    return (await ask('GET', '/v1/doctors/me/exceptions?limit=100', { token: tokens.doctorA })).body.items.at(-1)?.id as string
  },
  hold: async () => (await made('/v1/holds', 'patientA', { doctorId: world.doctorA, start: world.freeSlot() })).id,
  requested: booked,
  confirmed,
  past: async () => {
    const id = await confirmed()
    const sql = connect(system.database.urlOf('scheduling'), { name: 'test', max: 1 })
    const ago = `${++nth * 100} days`
    await run(
      sql,
      SQL`update appointments set during = tstzrange(lower(during) - ${ago}::interval, upper(during) - ${ago}::interval),
                 doctor_during = tstzrange(lower(doctor_during) - ${ago}::interval, upper(doctor_during) - ${ago}::interval) where id = ${id}`
    )
    await sql.end()
    return id
  },
  waiting: async () => {
    const from = Temporal.PlainDate.from('2031-03-01').add({ days: nth++ }).toString()
    return (await made('/v1/waitlist', 'patientA', { doctorId: world.doctorA, from, to: from })).id
  },
  feed: async () => (await made('/v1/calendar-feed', 'patientA')).url.split('/').at(-1) as string,
  session: async (owner) => {
    const { accessToken } = await fresh(owner)
    return JSON.parse(atob(accessToken.split('.')[1] as string)).sid
  },
  'pending doctor': async () =>
    (await made('/v1/auth/doctors', 'nobody', { ...world.fresh(), crm: `${Math.floor(Math.random() * 1e6)}-RJ` })).id,
  'some patient': async () => (await made('/v1/auth/patients', 'nobody', world.fresh())).id,
  problem: async () => 'slot_taken',
  // one that can be made again: a mail with a token cannot, and whether the newest is one depends on which service's events came first
  notification: () =>
    eventually(
      async () =>
        (await ask('GET', '/v1/admin/notifications?status=sent&event=appointment.requested', { token: tokens.admin })).body.items[0]?.id
    )
}

const fresh = (actor: Actor) =>
  actor === 'admin' ? logIn(system, system.admin.identifier, system.admin.password) : logIn(system, people[actor as 'patientA'].email)
const roleOf = (actor: Actor) => actor.replace(/[AB]$/, '')
const allowed: Record<Access, string[]> = {
  public: ['nobody', 'patient', 'doctor', 'admin', 'disabled'],
  any: ['patient', 'doctor', 'admin'],
  party: ['patient', 'doctor'],
  patient: ['patient'],
  doctor: ['doctor'],
  admin: ['admin']
}
const may = ({ access }: Row, actor: Actor) => allowed[access].includes(roleOf(actor))
const isOthers = (row: Row, actor: Actor) => row.subject && row.access !== 'public' && actor.endsWith('B')

const rows = Object.entries(matrix).map(([operation, row]) => {
  const [method = '', path = ''] = operation.split(' ')
  return { operation, method, path, row, service: routes.find((route) => `${route.method} ${route.path}` === operation)?.service }
})
const pathOf = (path: string, id: string) => path.replace(/:\w+/, id)
const missing = (path: string) => pathOf(path, path.endsWith(':file') ? `${'A'.repeat(43)}.ics` : crypto.randomUUID())
const bodyOf = ({ body }: Row) => (typeof body === 'function' ? body(world) : body)

test.each(rows)(
  '$operation lets in who may, and nobody else',
  async ({ method, path, row, service }) => {
    const owners = actors.filter((actor) => may(row, actor) && !isOthers(row, actor))
    const existing = row.subject ? await subjects[row.subject](owners[0] as Actor) : ''
    const outcome = async (actor: Actor, to: string, url?: string) => {
      const { status, body } = await ask(method, to + (row.query ?? ''), { token: tokens[actor], body: bodyOf(row), ...(url && { url }) })
      return [actor, status, body.code]
    }
    for (const actor of actors.filter((each) => !may(row, each))) {
      const refusal = { nobody: [401, 'unauthenticated'], disabled: [401, 'token_revoked'] }[actor as 'nobody'] ?? [403, 'forbidden']
      expect(await outcome(actor, pathOf(path, existing))).toEqual([actor, ...refusal])
      // a service that is reached past the gateway asks as well
      if (service) expect(await outcome(actor, pathOf(path, existing), system.urlOf(service))).toEqual([actor, ...refusal])
    }
    for (const actor of actors.filter((each) => may(row, each) && isOthers(row, each)))
      expect(await outcome(actor, pathOf(path, existing))).toEqual([actor, 404, expect.stringMatching(/not_found$/)])
    if (row.subject)
      for (const actor of owners) expect(await outcome(actor, missing(path))).toEqual([actor, 404, expect.stringMatching(/not_found$/)])
    for (const [index, actor] of owners.filter((each) => row.access === 'public' || !each.endsWith('B')).entries()) {
      const id = index === 0 || !row.subject ? existing : await subjects[row.subject](actor)
      const token = row.spends ? (await fresh(actor)).accessToken : tokens[actor]
      const answer = await ask(method, pathOf(path, id) + (row.query ?? ''), { token, body: bodyOf(row) })
      expect([actor, answer.status, answer.body.code]).toEqual([actor, row.status, answer.body.code])
    }
  },
  60_000
)

type Document = { paths: Record<string, Record<string, { security?: unknown[] }>> }

test('what the gateway and the services document, what the gateway lets through and what the matrix has are the same', async () => {
  const documented: [string, boolean][] = []
  for (const name of ['gateway', ...services]) {
    const { paths } = (await (await fetch(`${system.url}/docs/${name}/json`)).json()) as Document
    for (const [path, operations] of Object.entries(paths))
      for (const [method, { security }] of Object.entries(operations))
        documented.push([`${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`, security?.length === 0])
  }
  const open = (entries: [string, boolean][]) => Object.fromEntries(entries.sort(([a], [b]) => a.localeCompare(b)))
  const ofMatrix = rows.map(({ operation, row }): [string, boolean] => [operation, row.access === 'public'])
  expect(open(documented)).toEqual(open(ofMatrix))
  const forwarded = rows
    .filter(({ service }) => service)
    .map(({ operation, row }): [string, boolean] => [operation, row.access === 'public'])
  expect(open(routes.map(({ method, path, roles }) => [`${method} ${path}`, roles === null]))).toEqual(open(forwarded))
})

test('a known path tells with 405 what can be called there, and what is inside cannot be reached', async () => {
  for (const path of new Set(rows.map((row) => row.path))) {
    const methods = rows.filter((row) => row.path === path).map(({ method }) => method)
    const other = ['PUT', 'PATCH', 'DELETE', 'POST'].find((method) => !methods.includes(method)) as string
    const { status, body, headers } = await ask(other, missing(path), { token: tokens.patientA })
    expect([path, status, body.code]).toEqual([path, 405, 'method_not_allowed'])
    const told = (headers.get('allow') ?? '').split(', ').filter((method) => !['HEAD', 'OPTIONS'].includes(method))
    expect([path, told.sort()]).toEqual([path, methods.sort()])
  }
  for (const path of [
    '/internal/people/1',
    '/internal/v1/people',
    '/metrics',
    '/health/ready',
    '/docs/auth/../../internal',
    '/v1/internal'
  ])
    expect([path, (await ask('GET', path, { token: tokens.admin })).status]).toEqual([path, 404])
})
