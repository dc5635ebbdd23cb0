import { afterAll, beforeAll, expect, test } from 'bun:test'
import { eventually } from '#platform/testing'
import { call, newDoctor, newPatient, type Person, slotsOf } from './client.ts'
import { type Name, type System, startSystem } from './system.ts'

/* A replica that is asked to end while everybody is asking leaves nobody without an answer. */
let system: System
let doctor: Person
let patient: Person
let admin: string

beforeAll(async () => {
  system = await startSystem({ BOOKING_LIMIT_PER_SPECIALTY: '500', BOOKING_LIMIT: '500' }, { auth: 2, scheduling: 2, notifier: 2 })
  doctor = await newDoctor(system, { rules: [1, 2, 3, 4, 5, 6, 7].map((weekday) => ({ weekday, start: '00:00', end: '24:00' })) })
  patient = await newPatient(system)
  admin = (await call<{ accessToken: string }>(system, 'POST', '/v1/auth/login', { body: system.admin })).body.accessToken
}, 120_000)
afterAll(() => system?.stop(), 30_000)

/** What the clients of each service ask. */
const asks: Record<string, () => Promise<{ status: number }>> = {
  auth: () => call(system, 'GET', '/v1/auth/me', { token: patient.token }),
  scheduling: () => call(system, 'GET', `/v1/doctors/${doctor.id}/slots`),
  notifier: () => call(system, 'GET', '/v1/admin/notifications', { token: admin })
}

test.each(['auth-2', 'scheduling-2', 'notifier-2'] as Name[])(
  '%s ends with 0 under 200 busy connections, and no request fails',
  async (name) => {
    const ask = asks[name.split('-')[0] as string] as () => Promise<{ status: number }>
    const statuses = new Map<number, number>()
    let isOver = false
    const client = async () => {
      while (!isOver) {
        const { status } = await ask()
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
      }
    }
    const clients = Array.from({ length: 200 }, client)
    await eventually(() => (statuses.get(200) ?? 0) > 400, 20_000)
    const code = await system.terminate(name)
    const seen = statuses.get(200) ?? 0
    await eventually(() => (statuses.get(200) ?? 0) > seen + 400, 20_000)
    isOver = true
    await Promise.all(clients)
    expect([code, [...statuses.keys()]]).toEqual([0, [200]])
    await system.start(name)
  },
  60_000
)

test('bookings with a key are answered once each while a replica ends under them', async () => {
  const slots = (await slotsOf(system, doctor.id)).slice(0, 150)
  const book = async ({ start }: { start: string }) =>
    (
      await call(system, 'POST', '/v1/appointments', {
        token: patient.token,
        body: { doctorId: doctor.id, start },
        headers: { 'idempotency-key': crypto.randomUUID() }
      })
    ).status
  const booked = slots.map(book)
  await booked[20]
  expect(await system.terminate('scheduling-2')).toBe(0)
  expect(new Set(await Promise.all(booked))).toEqual(new Set([201]))
  await system.start('scheduling-2')
  const mine = await system.database.sql`select count(*) as count from appointments where patient_id = ${patient.id}`
  expect(Number(mine[0]?.count)).toBe(slots.length)
}, 60_000)
