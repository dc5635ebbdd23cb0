import { afterAll, beforeAll, expect, test } from 'bun:test'
import { eventually } from '#platform/testing/testing'
import { call, slotsOf } from './client.ts'
import { type Cast, castOf, type Operation, operationsOf, tokenFor } from './operations.ts'
import { type System, startSystem } from './system.ts'

/*
 * Well-formed values outside of the range of their type, at every place of every call that the documents describe. None may be answered with 500: each
 * that is refused is the client's own fault.
 */

let system: System
let cast: Cast
/** People whom no test changes, so that lists have a next page. */
let listed: [Cast, Cast]
let operations: Operation[]
const ID = '019b0d5e-3c4f-7a31-9f0e-2f6f1f0c9a11'
const day = (days: number) => Temporal.Now.plainDateISO().add({ days }).toString()

beforeAll(async () => {
  system = await startSystem()
  cast = await castOf(system)
  listed = [await castOf(system), await castOf(system)]
  // who logs out is refused from then on; a stream has no end
  operations = (await operationsOf(system)).filter(({ path }) => !path.includes('/logout') && path !== '/v1/events')
}, 120_000)
afterAll(() => system?.stop(), 30_000)

const dates = [
  ...['0000-01-01', '0001-01-01', '1899-12-31', '1900-01-01', '2200-12-31', '2201-01-01', '9999-12-31', '10000-01-01'],
  ...['-000001-01-01', '+275760-09-13', '+275760-09-14', '-271821-04-19', '2027-02-30', '2027-13-01', day(-31), day(0), day(31)]
]
const instants = [
  ...dates.flatMap((date) => [`${date}T00:00:00Z`, `${date}T23:59:59.999999999Z`]),
  ...['1900-01-01T00:00:00+14:00', '2200-12-31T23:59:59-12:00', '2027-01-05T24:00:00Z', '2027-01-05T11:00:60Z', '2027-01-05T11:00:00+99:99']
]
const ids = ['-'.repeat(36), '0'.repeat(36), 'ffffffff-ffff-ffff-ffff-ffffffffffff', ID.toUpperCase(), `{${ID}}`, ID.replaceAll('-', '')]
const numbers = ['-1', '0', '1', '2147483647', '2147483648', '-2147483649', '9007199254740993', '9'.repeat(30), '1e308', '1.5', 'NaN']
const words = ['', ' ', "'", '%', '\\', '\\u0000', '😀', 'a'.repeat(3_000), '../..', 'null', '[]', '١٢٣', '\u202e', '24:00', '00:00']
const texts = [...dates, ...instants, ...ids, ...numbers, ...words]
const values: unknown[] = [
  ...texts,
  ...[-1, 0, 2147483647, 2147483648, -2147483649, 2 ** 53, 1e308, 1.5, -0],
  null,
  true,
  [],
  {},
  [null],
  [[]]
]

const encoded = (position: unknown) => Buffer.from(JSON.stringify(position)).toString('base64url')
const parts = [...dates, ...instants.slice(0, 8), ...ids, 0, -1, 2147483648, 2 ** 53, 1e308, 1.5, null, true, {}, [], 'x', '\0', '\ud800']
const cursors = parts.flatMap((part) => [encoded([part]), encoded([part, ID]), encoded([part, part]), encoded([ID, part])])

type Sent = { status: number; body: { code?: string; errors?: { path: string }[]; nextCursor?: string | null } }

async function ask(operation: Operation, { params = {}, query = {}, body }: { params?: object; query?: object; body?: unknown }) {
  const path = operation.path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent((params as Record<string, string>)[name] ?? ID))
  const required = operation.parameters.filter((parameter) => parameter.in === 'query' && parameter.required)
  const asked = { ...Object.fromEntries(required.map(({ name, example }) => [name, String(example)])), ...query }
  const search = new URLSearchParams(asked as Record<string, string>)
  return (await call(system, operation.method, `${path}?${search}`, { token: tokenFor(operation, cast), body })) as Sent
}

/** Every body in which one place of another holds a value. */
function* withEach(body: unknown): Generator<unknown> {
  for (const value of values) yield value
  if (body === null || typeof body !== 'object') return
  for (const [name, inner] of Object.entries(body))
    for (const changed of withEach(inner)) {
      const copy = structuredClone(body) as Record<string, unknown>
      copy[name] = changed
      yield copy
    }
}

/** Asks in turn, a few at once, and gives what was answered with 500 or more. */
async function failures(asked: Iterable<[what: string, () => Promise<Sent>]>): Promise<string[]> {
  const failed: string[] = []
  const open = asked[Symbol.iterator]()
  const work = async () => {
    for (let next = open.next(); !next.done; next = open.next()) {
      const [what, send] = next.value
      const { status } = await send()
      if (status >= 500) failed.push(`${what}: ${status}`)
    }
  }
  await Promise.all(Array.from({ length: 8 }, work))
  return failed
}

const named = ({ method, path }: Operation) => `${method} ${path}`

test('no value of a parameter is answered with 500', async () => {
  const all = operations.flatMap((operation) =>
    operation.parameters
      .filter((parameter) => parameter.in !== 'header')
      .flatMap((parameter) => {
        const place = parameter.in === 'path' ? 'params' : 'query'
        const given = parameter.name === 'cursor' ? [...texts, ...cursors] : texts.filter((text) => place === 'query' || text !== '')
        return given.map((value): [string, () => Promise<Sent>] => [
          `${named(operation)} ${parameter.name}=${value.slice(0, 50)}`,
          () => ask(operation, { [place]: { [parameter.name]: value }, body: operation.bodyExample })
        ])
      })
  )
  expect(all.length).toBeGreaterThan(1_000)
  expect(await failures(all)).toEqual([])
}, 240_000)

test('no value at any place of a body is answered with 500', async () => {
  const asked = function* (): Generator<[string, () => Promise<Sent>]> {
    for (const operation of operations.filter(({ body }) => body))
      for (const body of withEach(operation.bodyExample))
        yield [`${named(operation)} ${JSON.stringify(body)?.slice(0, 300)}`, () => ask(operation, { body })]
  }
  expect(await failures(asked())).toEqual([])
}, 240_000)

test('dates and instants outside of 1900 to 2200 are refused with their path, in a query and in a body', async () => {
  const outside = ['0000-01-01', '1899-12-31', '2201-01-01', '9999-12-31']
  const patient = { token: cast.tokens.patient }
  const doctor = { token: cast.tokens.doctor }
  const refused: [path: string, answer: () => Promise<Sent>][] = outside.flatMap((date): [string, () => Promise<Sent>][] => [
    ['/from', () => call(system, 'GET', `/v1/doctors/${cast.doctor.id}/slots?from=${date}`)],
    ['/to', () => call(system, 'GET', `/v1/doctors/${cast.doctor.id}/slots?to=${date}`)],
    ['/from', () => call(system, 'GET', `/v1/slots?specialty=cardiologia&from=${date}`)],
    ['/availableFrom', () => call(system, 'GET', `/v1/doctors?availableFrom=${date}`)],
    ['/availableTo', () => call(system, 'GET', `/v1/doctors?availableTo=${date}`)],
    ['/from', () => call(system, 'GET', `/v1/appointments?from=${date}`, patient)],
    ['/to', () => call(system, 'GET', `/v1/appointments?to=${date}T00:00:00Z`, patient)],
    ['/start', () => call(system, 'POST', '/v1/holds', { ...patient, body: { doctorId: cast.doctor.id, start: `${date}T12:00:00Z` } })],
    ['/start', () => call(system, 'POST', '/v1/appointments', { ...patient, body: { doctorId: ID, start: `${date}T12:00:00-03:00` } })],
    ['/from', () => call(system, 'POST', '/v1/waitlist', { ...patient, body: { doctorId: ID, from: date, to: date } })],
    ['/to', () => call(system, 'POST', '/v1/doctors/me/exceptions', { ...doctor, body: { kind: 'open', from: day(1), to: date } })],
    [
      '/rules/0/validFrom',
      () => {
        const rules = [{ weekday: 1, start: '08:00', end: '09:00', validFrom: date }]
        return call(system, 'PUT', '/v1/doctors/me/schedule', { ...doctor, body: { slotMinutes: 30, rules } })
      }
    ]
  ])
  for (const [path, answer] of refused) {
    const { status, body } = await answer()
    expect([status, body.code, body.errors?.map((error) => error.path)]).toEqual([422, 'validation_failed', [path]])
  }
  // an offset may carry an instant over the edge
  for (const start of ['1900-01-01T00:00:00+14:00', '2200-12-31T23:59:59-12:00'])
    expect((await call(system, 'POST', '/v1/holds', { ...patient, body: { doctorId: ID, start } })).status).toBe(422)
})

test('slots up to a day of the past are none, and no failure', async () => {
  for (const path of [`/v1/doctors/${listed[0].doctor.id}/slots?`, '/v1/slots?specialty=cardiologia&'])
    for (const to of [day(-31), day(-400), day(-1)]) {
      const answer = await eventually(async () => {
        const asked = await call<{ slots?: unknown[]; items?: unknown[] }>(system, 'GET', `${path}to=${to}`)
        return asked.status !== 404 && asked
      })
      expect([to, answer.status, answer.body.slots ?? answer.body.items]).toEqual([to, 200, []])
    }
})

test('a cursor is good for its own list, and no part of it can be bent', async () => {
  const made = async (token: string, path: string, body: object) =>
    expect((await call(system, 'POST', path, { token, body })).status).toBe(201)
  const { doctor, patient, admin } = listed[0].tokens
  for (const [nth, other] of listed.entries()) {
    const date = day(200 + nth)
    await made(doctor, '/v1/doctors/me/exceptions', { kind: 'closed', from: date, to: date })
    await made(patient, '/v1/waitlist', { doctorId: other.doctor.id, from: date, to: date })
    const start = (await slotsOf(system, other.doctor.id))[nth]?.start
    await made(patient, '/v1/appointments', { doctorId: other.doctor.id, start })
  }
  const lists: [path: string, token: string | undefined][] = [
    ...['next_slot', 'price', 'name'].map((sort): [string, undefined] => [`/v1/doctors?sort=${sort}`, undefined]),
    ['/v1/doctors/me/exceptions?', doctor],
    ['/v1/waitlist?', patient],
    ['/v1/appointments?sort=start', patient],
    ['/v1/appointments?sort=-start', patient],
    ['/v1/admin/users?', admin],
    ['/v1/admin/notifications?', admin]
  ]
  const get = async (path: string, token: string | undefined, cursor = '') =>
    (await call(system, 'GET', `${path}&limit=1${cursor && `&cursor=${cursor}`}`, { token })) as Sent
  const found: string[] = []
  for (const [path, token] of lists) {
    const cursor = await eventually(async () => (await get(path, token)).body.nextCursor ?? undefined)
    found.push(cursor)
    expect([path, (await get(path, token, cursor)).status]).toEqual([path, 200])
  }
  for (const [nth, [path, token]] of lists.entries()) {
    for (const [other, cursor] of found.entries()) {
      if (other === nth) continue
      const { status, body } = await get(path, token, cursor)
      expect([path, lists[other]?.[0], status, body.errors?.[0]?.path]).toEqual([path, lists[other]?.[0], 422, '/cursor'])
    }
    const position = JSON.parse(Buffer.from(found[nth] as string, 'base64url').toString()) as unknown[]
    const bent = position.flatMap((_, at) => parts.map((part) => position.with(at, part)))
    for (const changed of [...bent, [], [...position, 0], position.slice(0, -1), {}, 5]) {
      const { status } = await get(path, token, encoded(changed))
      if (status !== 200 && status !== 422) throw new Error(`${path} answered ${status} to the cursor ${JSON.stringify(changed)}`)
    }
  }
}, 120_000)
