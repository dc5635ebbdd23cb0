import { afterAll, beforeAll, expect, test } from 'bun:test'
import { call, newDoctor, newPatient, type Person, slotsOf } from './client.ts'
import { type System, startSystem } from './system.ts'

/* The limits of claims through the gateway, over two replicas of scheduling: it is told the client's address, which is the same for everybody here. */
let system: System
let crowd: Person[]
beforeAll(async () => {
  system = await startSystem({ RATE_LIMIT: 'on' }, { scheduling: 2 })
  crowd = []
  for (let nth = 0; nth < 14; nth++) crowd.push(await newPatient(system))
}, 120_000)
afterAll(() => system?.stop(), 30_000)

test('fourteen people at one address who want a doctor’s time at once get ten claims, and time of another doctor', async () => {
  const [doctor, other] = [await newDoctor(system), await newDoctor(system)]
  const slots = await slotsOf(system, doctor.id)
  const claim = (who: Person, nth: number, doctorId = doctor.id) => {
    const path = nth % 2 ? '/v1/holds' : '/v1/appointments'
    return call<{ code: string }>(system, 'POST', path, { token: who.token, body: { doctorId, start: slots[nth]?.start } })
  }
  const answers = await Promise.all(crowd.map((who, nth) => claim(who, nth)))
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(10)
  expect(answers.filter(({ body }) => body.code === 'booking_limit')).toHaveLength(4)
  const refused = crowd[answers.findIndex(({ status }) => status === 409)] as Person
  await slotsOf(system, other.id)
  expect((await claim(refused, 20, other.id)).status).toBe(201)
}, 60_000)
