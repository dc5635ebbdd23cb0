import { afterAll, beforeAll, expect, test } from 'bun:test'
import { none, outcome, type Rig, startRig } from '../testing/testing.ts'

const PATIENTS = 200
const SLOTS = 50
let rig: Rig
beforeAll(async () => {
  rig = await startRig({ replicas: 2, max: 20 })
}, 60_000)
afterAll(() => rig?.stop())

test(`of ${PATIENTS} patients who want one slot at once, over two replicas, exactly one gets it; ${SLOTS} slots in a row`, async () => {
  const doctor = await rig.doctor()
  const patients = await Promise.all(Array.from({ length: PATIENTS }, () => rig.patient()))
  const starts = (await rig.slotsOf(doctor, '?from=2027-01-05&to=2027-01-12')).slice(0, SLOTS)
  expect(starts).toHaveLength(SLOTS)
  for (const start of starts) {
    const answers = await Promise.all(patients.map((patient, nth) => rig.wish(patient, doctor, start, { replica: nth % 2 })))
    const counts = Object.fromEntries(
      Map.groupBy(answers, outcome)
        .entries()
        .map(([word, list]) => [word, list.length])
    )
    expect(counts).toEqual({ '201': 1, '409 slot_taken': PATIENTS - 1 })
  }
  expect(await rig.harm()).toEqual(none)
}, 240_000)

test('a cancelled slot can be booked again by whoever is first, again and again', async () => {
  const doctor = await rig.doctor()
  const patients = await Promise.all(Array.from({ length: 20 }, () => rig.patient()))
  const [start = ''] = await rig.slotsOf(doctor)
  for (let round = 0; round < 20; round++) {
    const answers = await Promise.all(patients.map((patient, nth) => rig.wish(patient, doctor, start, { replica: nth % 2 })))
    const won = answers.findIndex(({ status }) => status === 201)
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
    const { status } = await rig.act(patients[won] as { id: string }, answers[won]?.body.id ?? '', 'cancel', { reason: 'não posso' })
    expect(status).toBe(200)
  }
}, 120_000)
