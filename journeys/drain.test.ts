import { afterAll, beforeAll, expect, test } from 'bun:test'
import { eventually } from '#platform/testing/testing'
import { call, newDoctor, newPatient, type Person, slotsOf } from './client.ts'
import { type Name, type System, startSystem } from './system.ts'

/* A replica that is asked to end while everybody is asking leaves nobody without an answer. */
let system: System
let doctor: Person
let patient: Person
let admin: string

beforeAll(async () => {
  // what a gateway refuses on a machine that is too busy for it is no failure of a stop
  const settings = { BOOKING_LIMIT_PER_SPECIALTY: '500', BOOKING_LIMIT: '500', MAX_LAG_MS: '60000' }
  system = await startSystem(settings, { auth: 2, scheduling: 2, notifier: 2 })
  doctor = await newDoctor(system, { rules: [1, 2, 3, 4, 5, 6, 7].map((weekday) => ({ weekday, start: '00:00', end: '24:00' })) })
  patient = await newPatient(system)
  admin = (await call<{ accessToken: string }>(system, 'POST', '/v1/auth/login', { body: system.admin })).body.accessToken
}, 120_000)
afterAll(() => system?.stop(), 30_000)

type Told = { status: number; body: unknown }
/** The status of an answer, and the code where it is a problem. */
const outcomeOf = ({ status, body }: Told) => `${status} ${(body as { code?: string } | undefined)?.code ?? ''}`.trim()

/** What the clients of each service ask. */
const asks: Record<string, () => Promise<Told>> = {
  auth: () => call(system, 'GET', '/v1/auth/me', { token: patient.token }),
  scheduling: () => call(system, 'GET', `/v1/doctors/${doctor.id}/slots`),
  notifier: () => call(system, 'GET', '/v1/admin/notifications', { token: admin })
}

test.each(['auth-2', 'scheduling-2', 'notifier-2'] as Name[])(
  '%s ends with 0 under 200 busy connections, and no request fails',
  async (name) => {
    const ask = asks[name.split('-')[0] as string] as () => Promise<Told>
    const outcomes = new Map<string, number>()
    const well = () => outcomes.get('200') ?? 0
    let isOver = false
    const client = async () => {
      while (!isOver) {
        const outcome = outcomeOf(await ask())
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      }
    }
    const clients = Array.from({ length: 200 }, client)
    await eventually(() => well() > 400, 20_000)
    const code = await system.terminate(name)
    const seen = well()
    await eventually(() => well() > seen + 400, 20_000)
    isOver = true
    await Promise.all(clients)
    expect([code, [...outcomes.keys()]]).toEqual([0, ['200']])
    await system.start(name)
  },
  60_000
)

/** A write without a key, which must not be sent twice: each call makes a new address and voids the one before. */
const write = async () => outcomeOf(await call(system, 'POST', '/v1/calendar-feed', { token: patient.token }))

test.each([
  ['without a pause', 100, 0],
  // seldom enough that no answer tells the gateway of the farewell before its end
  ['now and then', 2, 1_200]
])(
  'writes without a key that come %s are all answered while a replica ends under them',
  async (_, count, pauseMs) => {
    const outcomes: string[] = []
    let isOver = false
    const client = async () => {
      while (!isOver) {
        outcomes.push(await write())
        await Bun.sleep(Math.random() * pauseMs)
      }
    }
    const clients = Array.from({ length: count }, client)
    for (const name of ['scheduling-2', 'scheduling'] as const) {
      const seen = outcomes.length
      await eventually(() => outcomes.length > seen + 2 * count, 20_000)
      expect(await system.terminate(name)).toBe(0)
      await system.start(name)
    }
    isOver = true
    await Promise.all(clients)
    expect(new Set(outcomes)).toEqual(new Set(['201']))
  },
  60_000
)

test('bookings with a key are answered once each while a replica ends under them', async () => {
  const slots = (await slotsOf(system, doctor.id)).slice(0, 150)
  const count = slots.length
  const book = async ({ start }: { start: string }) =>
    (
      await call(system, 'POST', '/v1/appointments', {
        token: patient.token,
        body: { doctorId: doctor.id, start },
        headers: { 'idempotency-key': crypto.randomUUID() }
      })
    ).status
  // bookings of one patient with one doctor pass one by one: more of them at once than can be done while a process ends would be cut off
  const answers: number[] = []
  const clients = Array.from({ length: 20 }, async () => {
    for (let slot = slots.pop(); slot; slot = slots.pop()) answers.push(await book(slot))
  })
  await eventually(() => answers.length > 20, 20_000)
  expect(slots.length).toBeGreaterThan(0)
  expect(await system.terminate('scheduling-2')).toBe(0)
  await Promise.all(clients)
  expect(new Set(answers)).toEqual(new Set([201]))
  await system.start('scheduling-2')
  const mine = await system.database.sql`select count(*) as count from appointments where patient_id = ${patient.id}`
  expect(Number(mine[0]?.count)).toBe(count)
}, 60_000)
