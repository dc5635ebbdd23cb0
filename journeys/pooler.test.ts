import { afterAll, beforeAll, expect, test } from 'bun:test'
import { eventually } from '#platform/testing/testing'
import { call, newDoctor, newPatient, type Person, slotsOf } from './client.ts'
import { ensurePooler, type Pooler, startPooler } from './pooler.ts'
import { type System, startSystem } from './system.ts'

/* The whole system through a real pgbouncer in transaction mode: what takes a connection for one transaction finds nothing that it left in the one before. */
const program = await ensurePooler()
if (!program) console.log('skipped: no pgbouncer here, and none that could be installed without asking')
let pooler: Pooler | undefined
let system: System
let doctor: Person
let patients: Person[]

beforeAll(async () => {
  if (!program) return
  const found = await startPooler(program, process.env.TEST_POSTGRES_URL ?? '')
  pooler = found
  console.log(`pgbouncer ${found.version}`)
  system = await startSystem({}, { scheduling: 2 }, found.through)
  doctor = await newDoctor(system, { slotMinutes: 30 })
  patients = await Promise.all(Array.from({ length: 8 }, () => newPatient(system)))
}, 120_000)
afterAll(async () => {
  await system?.stop()
  await pooler?.stop()
}, 30_000)

test.if(program !== undefined)(
  'bookings at once through it each have their slot, their events and their mails',
  async () => {
    const slots = await slotsOf(system, doctor.id)
    const booked = await Promise.all(
      slots.slice(0, 40).map(({ start }, nth) =>
        call<{ id: string }>(system, 'POST', '/v1/appointments', {
          token: patients[nth % 8]?.token,
          body: { doctorId: doctor.id, start }
        })
      )
    )
    expect(booked.map(({ status }) => status)).toEqual(booked.map(() => 201))
    expect(booked.length).toBe(40)
    const again = await Promise.all(
      patients.map(({ token }) =>
        call(system, 'POST', '/v1/appointments', { token, body: { doctorId: doctor.id, start: slots[0]?.start } })
      )
    )
    expect(new Set(again.map(({ status }) => status))).toEqual(new Set([409]))
    const ended = await Promise.all(
      booked.map(({ body }, nth) =>
        nth % 2
          ? call(system, 'POST', `/v1/appointments/${body.id}/confirm`, { token: doctor.token })
          : call(system, 'POST', `/v1/appointments/${body.id}/cancel`, { token: patients[nth % 8]?.token, body: { reason: 'outro dia' } })
      )
    )
    expect(ended.map(({ status }) => status)).toEqual(ended.map(() => 200))
    // each booking and each end of one is mailed to the doctor or the patient
    const mailsOf = (email: string) => system.mailbox.mails.filter(({ to }) => to.includes(email)).length
    await eventually(() => mailsOf(doctor.email) >= 60 && patients.every(({ email }) => mailsOf(email) >= 3), 60_000)
    expect(system.crashed).toEqual([])
  },
  120_000
)

test.if(program !== undefined)('it lends a connection for a transaction only: few of the server serve many clients', async () => {
  const ours = (await (pooler as Pooler).pools()).filter(({ database }) => database === system.database.name)
  expect(ours.map(({ user }) => user).sort()).toEqual(['auth', 'notifier', 'scheduling'])
  for (const { user, mode, servers } of ours) expect([user, mode, servers > 0 && servers <= 8]).toEqual([user, 'transaction', true])
  const sum = (of: 'clients' | 'servers') => ours.reduce((total, pool) => total + pool[of], 0)
  expect(sum('clients')).toBeGreaterThan(sum('servers'))
})
