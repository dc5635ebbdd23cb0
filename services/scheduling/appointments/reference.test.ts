import { afterAll, beforeAll, expect, test } from 'bun:test'
import fc from 'fast-check'
import { Reference } from '../testing/reference.ts'
import { everyDay, outcome, type Rig, startRig } from '../testing/testing.ts'

/** 100 in the suite, 1,000 by `bun run test:model`. */
const RUNS = Number(process.env.MODEL_RUNS ?? 100)
const HOUR = 3_600_000
/** Narrow, so that lives of 60 steps reach them. The first two patients share an address. */
const [OPEN, FROM_ONE_ADDRESS, AN_HOUR] = [3, 2, 20]
const addressOf = (patient: number) => (patient < 2 ? '203.0.113.1' : '203.0.113.2')
const BASE = Temporal.Instant.from('2027-01-04T12:00:00Z')
/** Every hour of three days. */
const STARTS = Array.from({ length: 72 }, (_, hour) => BASE.epochMilliseconds + hour * HOUR)

let rig: Rig
beforeAll(async () => {
  rig = await startRig({ limits: { perSpecialty: 1_000, inAll: OPEN, perClient: FROM_ONE_ADDRESS } })
})
afterAll(() => rig?.stop())

type Person = { id: string }
type Real = { doctors: Person[]; patients: Person[] }
type Step = fc.AsyncCommand<Reference, Real>

const at = (ms: number) => Temporal.Instant.fromEpochMilliseconds(ms).toString()
const who = <T>(list: T[], nth: number) => list[nth % list.length] as T

/** A step that anybody may try at any time; what must come of it is for the reference to say. */
const step = (name: string, run: (model: Reference, real: Real) => Promise<void>): Step => ({
  check: () => true,
  run: async (model, real) => {
    await run(model, real)
    await compareSlots(model, real)
  },
  toString: () => name
})

/** After each step both doctors' lists hold what the reference offers, and nothing else. */
async function compareSlots(model: Reference, real: Real) {
  for (const [nth, doctor] of real.doctors.entries()) {
    const listed = await rig.slotsOf(doctor, '?from=2027-01-04&to=2027-01-07')
    const offered = new Set(STARTS)
    const own = listed.map((start) => Temporal.Instant.from(start).epochMilliseconds).filter((start) => offered.has(start))
    expect(own).toEqual(model.slots(nth, STARTS))
  }
}

const booking = (doctor: number, patient: number, hour: number) => async (model: Reference, real: Real) => {
  const start = STARTS[hour] as number
  const held = model.heldBy(patient)
  const own = held && held.doctor === doctor && held.start === start
  const from = addressOf(patient)
  const elsewhere = own ? [] : [...model.refusals(doctor, patient, start), ...model.addressLimits(doctor, from)]
  const refusals = [...elsewhere, ...model.bookingLimits(patient)]
  const answer = await rig.wish(who(real.patients, patient), who(real.doctors, doctor), at(start), { from })
  expect(refusals.length > 0 ? refusals : ['201']).toContain(outcome(answer))
  if (answer.status === 201) model.book(answer.body.id, doctor, patient, start, from)
}
const book = (doctor: number, patient: number, hour: number) =>
  step(`book(d${doctor}, p${patient}, ${hour})`, booking(doctor, patient, hour))

const hold = (doctor: number, patient: number, hour: number) =>
  step(`hold(d${doctor}, p${patient}, ${hour})`, async (model, real) => {
    const start = STARTS[hour] as number
    const from = addressOf(patient)
    const refusals = model.heldBy(patient)
      ? ['409 hold_limit']
      : [...model.refusals(doctor, patient, start), ...model.addressLimits(doctor, from), ...model.holdLimits(doctor, patient, start)]
    const answer = await rig.call('POST', '/v1/holds', {
      as: who(real.patients, patient),
      body: { doctorId: who(real.doctors, doctor).id, start: at(start) },
      from
    })
    expect(refusals.length > 0 ? refusals : ['201']).toContain(outcome(answer))
    if (answer.status === 201) model.hold({ id: answer.body.id, doctor, patient, start, from })
  })

const giveUp = (patient: number) =>
  step(`giveUp(p${patient})`, async (model, real) => {
    const held = model.heldBy(patient)
    if (!held) return
    expect((await rig.call('DELETE', `/v1/holds/${held.id}`, { as: who(real.patients, patient) })).status).toBe(204)
    model.give(held)
  })

/** A patient who cannot decide: books and cancels, again and again. */
const waver = (doctor: number, patient: number, hour: number, times: number) =>
  step(`waver(d${doctor}, p${patient}, ${hour}, ${times} times)`, async (model, real) => {
    for (let time = 0; time < times; time++) {
      const before = model.appointments.length
      await booking(doctor, patient, hour)(model, real)
      const made = model.appointments[before]
      if (!made) return
      expect(outcome(await rig.act(who(real.patients, patient), made.id, 'cancel', { reason: 'because' }))).toBe('200')
      made.status = 'cancelled'
    }
  })

/** One of the appointments that there are, by number, and one of its parties. */
const act = (action: 'confirm' | 'decline' | 'cancel' | 'complete', nth: number, byDoctor: boolean) =>
  step(`${action}(#${nth}, ${byDoctor ? 'doctor' : 'patient'})`, async (model, real) => {
    if (model.appointments.length === 0) return
    const one = who(model.appointments, nth)
    const asDoctor = byDoctor || action !== 'cancel'
    const caller = asDoctor ? who(real.doctors, one.doctor) : who(real.patients, one.patient)
    const refusal = model.verdict(action, one)
    const answer = await rig.act(caller, one.id, action, action === 'confirm' || action === 'complete' ? undefined : { reason: 'because' })
    expect(outcome(answer)).toBe(refusal ?? '200')
    if (!refusal) one.status = { confirm: 'confirmed', decline: 'declined', cancel: 'cancelled', complete: 'completed' }[action]
  })

const move = (nth: number, byDoctor: boolean, hour: number) =>
  step(`move(#${nth}, ${byDoctor ? 'doctor' : 'patient'}, ${hour})`, async (model, real) => {
    if (model.appointments.length === 0) return
    const one = who(model.appointments, nth)
    const start = STARTS[hour] as number
    const stands = model.verdict('reschedule', one)
    const elsewhere = model.refusals(one.doctor, one.patient, start, { except: one.id, notice: byDoctor ? 0 : 60 })
    const limits = byDoctor ? [] : model.moveLimits(one.patient)
    const refusals = stands ? [stands] : start === one.start ? ['422 validation_failed'] : [...elsewhere, ...limits]
    const caller = byDoctor ? who(real.doctors, one.doctor) : who(real.patients, one.patient)
    const answer = await rig.act(caller, one.id, 'reschedule', { start: at(start) })
    expect(refusals.length > 0 ? refusals : ['200']).toContain(outcome(answer))
    if (answer.status === 200 && !byDoctor) model.moves.push({ patient: one.patient, at: model.now })
    if (answer.status === 200) Object.assign(one, { start, status: byDoctor ? 'confirmed' : 'requested', answerBy: model.answerBy(start) })
  })

const open = (doctor: number, from: number, length: number) =>
  step(`open(d${doctor}, ${from} to ${from + length})`, async (model, real) => {
    const clock = (hour: number) => `${String(hour).padStart(2, '0')}:00`
    model.hours[doctor] = [from, from + length]
    const answer = await rig.call('PUT', '/v1/doctors/me/schedule', {
      as: who(real.doctors, doctor),
      body: { slotMinutes: 60, rules: everyDay(clock(from), clock(from + length)) }
    })
    expect(answer.status).toBe(200)
    expect([...answer.body.conflicts].sort()).toEqual(model.conflicts(doctor).sort())
  })

const pass = (minutes: number) =>
  step(`pass(${minutes} min)`, async (model) => {
    model.pass(minutes * 60_000)
    rig.now = Temporal.Instant.fromEpochMilliseconds(model.now)
    while ((await rig.expire()) > 0) {}
  })

const [doctor, patient, hour, nth] = [fc.nat(1), fc.nat(2), fc.nat(71), fc.nat(20)]
const steps = [
  // few hours, so that wishes meet
  fc.tuple(doctor, patient, fc.nat(12)).map((wish) => book(...wish)),
  fc.tuple(doctor, patient, hour).map((wish) => book(...wish)),
  fc.tuple(doctor, patient, fc.nat(12)).map((wish) => hold(...wish)),
  patient.map(giveUp),
  fc.tuple(doctor, patient, fc.nat(12), fc.integer({ min: 2, max: 22 })).map((of) => waver(...of)),
  fc
    .tuple(fc.constantFrom('confirm' as const, 'decline' as const, 'cancel' as const, 'complete' as const), nth, fc.boolean())
    .map((of) => act(...of)),
  fc.tuple(nth, fc.boolean(), fc.nat(24)).map((of) => move(...of)),
  fc.tuple(doctor, fc.nat(12), fc.integer({ min: 1, max: 11 })).map((of) => open(...of)),
  fc.constantFrom(1, 4, 5, 30, 60, 300, 1_440).map(pass)
]

test(
  `${RUNS} lives of two practices, each step as the reference says`,
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.commands(steps, { maxCommands: 60, size: 'max' }), async (commands) => {
        rig.now = BASE
        const [from, to] = [8, 17]
        const real = {
          doctors: [await rig.doctor(), await rig.doctor()],
          patients: [await rig.patient(), await rig.patient(), await rig.patient()]
        }
        await fc.asyncModelRun(
          () => ({
            model: new Reference(
              BASE.epochMilliseconds,
              [
                [from, to],
                [from, to]
              ],
              { open: OPEN, fromOneAddress: FROM_ONE_ADDRESS, anHour: AN_HOUR }
            ),
            real
          }),
          commands
        )
      }),
      { numRuns: RUNS }
    )
  },
  RUNS * 3_000
)
