import { afterAll, beforeAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { one } from '#platform/data/db'
import type { UserSnapshot } from '#platform/events/events'
import { expected, outcome, type Rig, startRig } from '../testing/testing.ts'

let rig: Rig
let doctor: UserSnapshot
let patient: UserSnapshot
beforeAll(async () => {
  rig = await startRig()
  doctor = await rig.doctor({ rules: [1, 2, 3, 4, 5, 6, 7].map((weekday) => ({ weekday, start: '00:00', end: '24:00' })) })
  patient = await rig.patient()
})
afterAll(() => rig?.stop())

const states = ['requested', 'confirmed', 'declined', 'cancelled', 'completed', 'no_show', 'expired'] as const
type State = (typeof states)[number]
const reason = { reason: 'Congresso' }

async function booked(whom = doctor): Promise<{ id: string; start: string }> {
  const [start = ''] = await rig.slotsOf(whom)
  return (await expected(201, rig.wish(patient, whom, start))).body
}

/** An appointment in a state, brought there as people would. */
async function inState(state: State): Promise<string> {
  const { id, start } = await booked()
  const done = (verb: string, body?: object) => expected(200, rig.act(doctor, id, verb, body))
  if (state === 'confirmed' || state === 'completed' || state === 'no_show') await done('confirm')
  if (state === 'declined') await done('decline', reason)
  if (state === 'cancelled') await done('cancel', reason)
  if (state === 'completed' || state === 'no_show') rig.now = Temporal.Instant.from(start)
  if (state === 'completed') await done('complete')
  if (state === 'no_show') await done('no-show')
  if (state === 'expired') {
    rig.now = Temporal.Instant.from(start)
    await rig.expire()
  }
  expect((await rig.call('GET', `/v1/appointments/${id}`, { as: patient })).body.status).toBe(state)
  return id
}

/** By the contract: who may do what from where, and where it leads. Everything else is refused. */
const allowed: Record<string, { from: State[]; patient?: State; doctor: State }> = {
  confirm: { from: ['requested'], doctor: 'confirmed' },
  decline: { from: ['requested'], doctor: 'declined' },
  cancel: { from: ['requested', 'confirmed'], patient: 'cancelled', doctor: 'cancelled' },
  reschedule: { from: ['requested', 'confirmed'], patient: 'requested', doctor: 'confirmed' },
  complete: { from: [], doctor: 'completed' },
  'no-show': { from: [], doctor: 'no_show' }
}

for (const [verb, { from, ...leads }] of Object.entries(allowed)) {
  for (const party of ['patient', 'doctor'] as const) {
    test(`before the start, ${verb} by the ${party} is for ${from.join(' and ') || 'no state'} alone`, async () => {
      const found: Record<string, string> = {}
      const wanted: Record<string, string> = {}
      for (const state of states) {
        const id = await inState(state)
        const body =
          verb === 'reschedule' ? { start: (await rig.slotsOf(doctor)).at(-1) } : ['decline', 'cancel'].includes(verb) ? reason : undefined
        const answer = await rig.act(party === 'doctor' ? doctor : patient, id, verb, body)
        found[state] = answer.status === 200 ? answer.body.status : outcome(answer)
        const lead = leads[party]
        wanted[state] = !lead ? '403 forbidden' : from.includes(state) ? lead : '409 invalid_transition'
        if (answer.status === 200) await rig.act(doctor, id, 'cancel', reason)
      }
      expect(found).toEqual(wanted)
    })
  }
}

test('once it has begun, a confirmed visit can be told as completed or as missed, and nothing else', async () => {
  for (const verb of ['complete', 'no-show'] as const) {
    const { id, start } = await booked()
    await expected(200, rig.act(doctor, id, 'confirm'))
    rig.now = Temporal.Instant.from(start).subtract({ milliseconds: 1 })
    expect(outcome(await rig.act(doctor, id, verb))).toBe('409 invalid_transition')
    rig.pass({ milliseconds: 1 })
    const [next = ''] = await rig.slotsOf(doctor)
    expect(outcome(await rig.act(doctor, id, 'cancel', reason))).toBe('409 too_late')
    expect(outcome(await rig.act(patient, id, 'cancel', reason))).toBe('409 too_late')
    expect(outcome(await rig.act(doctor, id, 'reschedule', { start: next }))).toBe('409 too_late')
    expect((await rig.act(doctor, id, verb)).body.status).toBe(verb === 'complete' ? 'completed' : 'no_show')
  }
})

test('the notice for cancelling binds the patient to the minute, and the doctor not at all', async () => {
  const strict = await rig.doctor({ profile: { cancellationNoticeMinutes: 120, minNoticeMinutes: 0 } })
  const late = await rig.patient()
  const start = (await rig.slotsOf(strict)).at(-1) ?? ''
  const { id } = (await expected(201, rig.wish(late, strict, start))).body
  const other = (await rig.slotsOf(strict)).at(-1)
  rig.now = Temporal.Instant.from(start).subtract({ minutes: 120 }).add({ milliseconds: 1 })
  expect(outcome(await rig.act(late, id, 'cancel', reason))).toBe('409 too_late')
  expect(outcome(await rig.act(late, id, 'reschedule', { start: other }))).toBe('409 too_late')
  rig.now = Temporal.Instant.from(start).subtract({ minutes: 120 })
  expect((await rig.act(late, id, 'cancel', reason)).status).toBe(200)
  const again = (await expected(201, rig.wish(late, strict, start))).body
  rig.now = Temporal.Instant.from(start).subtract({ minutes: 1 })
  expect((await rig.act(strict, again.id, 'cancel', reason)).status).toBe(200)
})

test('a request that nobody answered in time expires, and no answer comes through between its end and the job', async () => {
  const slow = await rig.doctor({ profile: { answerWithinMinutes: 30 } })
  const { id } = (await expected(201, rig.wish(patient, slow, (await rig.slotsOf(slow)).at(-1) ?? ''))).body
  const deadline = rig.now.add({ minutes: 30 })
  rig.now = deadline.subtract({ milliseconds: 1 })
  expect(await rig.expire()).toBe(0)
  rig.pass({ milliseconds: 1 })
  expect(outcome(await rig.act(slow, id, 'confirm'))).toBe('409 too_late')
  expect(outcome(await rig.act(slow, id, 'decline', reason))).toBe('409 too_late')
  expect(await rig.expire()).toBe(1)
  expect((await rig.call('GET', `/v1/appointments/${id}`, { as: patient })).body).toMatchObject({ status: 'expired', version: 2 })
})

test('a request that is found late to have expired did so when its time was over: the event says that instant', async () => {
  const slow = await rig.doctor({ profile: { answerWithinMinutes: 30 } })
  const { id } = (await expected(201, rig.wish(patient, slow, (await rig.slotsOf(slow)).at(-1) ?? ''))).body
  const deadline = rig.now.add({ minutes: 30 })
  rig.pass({ hours: 5 })
  expect(await rig.expire()).toBe(1)
  const { at } = await one<{ at: Date }>(
    rig.sql,
    SQL`select created_at as at from outbox where subject = ${id} and type = 'healthmed.appointment.expired.v1'`
  )
  expect(at.toISOString()).toBe(deadline.toString({ fractionalSecondDigits: 3 }))
})

test('a decline and a cancellation without a reason, with an empty one or with a field too many are refused', async () => {
  const { id } = await booked()
  for (const body of [{}, { reason: '' }, { reason: '  ' }, { reason: 'x'.repeat(501) }, { reason: 'x', refund: true }]) {
    expect(outcome(await rig.act(doctor, id, 'cancel', body))).toBe('422 validation_failed')
    expect(outcome(await rig.act(doctor, id, 'decline', body))).toBe('422 validation_failed')
  }
})

test("another's appointment does not exist: not to read, not to change, and an id that cannot be one neither", async () => {
  const { id } = await booked()
  const [stranger, colleague] = [await rig.patient(), await rig.doctor()]
  const answers = [
    rig.call('GET', `/v1/appointments/${id}`, { as: stranger }),
    rig.call('GET', `/v1/appointments/${id}/history`, { as: stranger }),
    rig.call('GET', `/v1/appointments/${id}/calendar.ics`, { as: colleague }),
    rig.act(stranger, id, 'cancel', reason),
    rig.act(colleague, id, 'confirm'),
    rig.act(colleague, id, 'decline', reason),
    rig.act(stranger, id, 'reschedule', { start: '2027-03-01T12:00:00Z' }),
    rig.act(patient, crypto.randomUUID(), 'cancel', reason)
  ]
  for (const answer of answers) expect(outcome(await answer)).toBe('404 appointment_not_found')
  expect(outcome(await rig.call('GET', '/v1/appointments/x', { as: patient }))).toBe('404 not_found')
})

test('an If-Match that is not the current version is refused before anything else, and the current one passes', async () => {
  const { id } = await booked()
  const etag = (await rig.call('GET', `/v1/appointments/${id}`, { as: doctor })).headers.get('etag') ?? ''
  expect(etag).toBe('"1"')
  expect(outcome(await rig.act(doctor, id, 'confirm', undefined, { 'if-match': '"7"' }))).toBe('412 version_conflict')
  const confirmed = await rig.act(doctor, id, 'confirm', undefined, { 'if-match': etag })
  expect([confirmed.status, confirmed.headers.get('etag')]).toEqual([200, '"2"'])
  expect(outcome(await rig.act(doctor, id, 'confirm', undefined, { 'if-match': etag }))).toBe('412 version_conflict')
  const start = (await rig.slotsOf(doctor)).at(-1)
  expect(outcome(await rig.act(patient, id, 'reschedule', { start }, { 'if-match': etag }))).toBe('412 version_conflict')
  expect((await rig.act(patient, id, 'reschedule', { start }, { 'if-match': '"2", "5"' })).status).toBe(200)
  expect((await rig.act(patient, id, 'cancel', reason, { 'if-match': '*' })).status).toBe(200)
})

test('the history tells who did what when, from where to where, with the reasons', async () => {
  const { id } = await booked()
  const at = rig.now.toString()
  rig.pass({ minutes: 5 })
  await expected(200, rig.act(doctor, id, 'confirm'))
  await expected(200, rig.act(patient, id, 'cancel', reason))
  const trail = await rig.call<object[]>('GET', `/v1/appointments/${id}/history`, { as: patient })
  const later = rig.now.toString()
  expect(trail.body).toEqual([
    { at, actor: { id: patient.id, role: 'patient' }, action: 'book', from: null, to: 'requested' },
    { at: later, actor: { id: doctor.id, role: 'doctor' }, action: 'confirm', from: 'requested', to: 'confirmed' },
    { at: later, actor: { id: patient.id, role: 'patient' }, action: 'cancel', from: 'confirmed', to: 'cancelled', reason: 'Congresso' }
  ])
})
