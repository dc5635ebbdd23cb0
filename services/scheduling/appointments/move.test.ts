import { afterAll, beforeAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { rows } from '#platform/data/db'
import type { UserSnapshot } from '#platform/events/events'
import { expected, outcome, type Practice, type Rig, startRig } from '../testing/testing.ts'

let rig: Rig
let patient: UserSnapshot
beforeAll(async () => {
  rig = await startRig()
})
afterAll(() => rig?.stop())

const move = (who: { id: string }, id: string, start: string | undefined) => rig.act(who, id, 'reschedule', { start })

/** A doctor with one booked slot, and the free slots besides. */
async function bookedWith(practice: Practice = {}) {
  const doctor = await rig.doctor(practice)
  patient = await rig.patient()
  const [start = '', ...others] = await rig.slotsOf(doctor)
  const { id } = (await expected(201, rig.wish(patient, doctor, start))).body
  return { doctor, id, start, others }
}

test('moved by the patient it waits for the doctor again, and the old slot is free', async () => {
  const { doctor, id, start, others } = await bookedWith()
  await expected(200, rig.act(doctor, id, 'confirm'))
  const moved = await expected(200, move(patient, id, others[0]))
  expect(moved.body).toMatchObject({ id, status: 'requested', start: others[0], version: 3 } as object)
  expect(await rig.slotsOf(doctor)).toEqual([start, ...others.slice(1)])
})

test('moved by the patient of a doctor who confirms by themselves it stays confirmed', async () => {
  const { id, others } = await bookedWith({ profile: { autoConfirm: true } })
  expect((await expected(200, move(patient, id, others[0]))).body.status).toBe('confirmed')
})

test('moved by the doctor it is confirmed, and the notice that the doctor asks of patients does not bind the doctor', async () => {
  const { doctor, id, others } = await bookedWith({ profile: { minNoticeMinutes: 24 * 60 } })
  expect((await expected(200, move(doctor, id, others[0]))).body.status).toBe('confirmed')
  expect(outcome(await move(patient, id, '2027-01-04T17:00:00Z'))).toBe('422 slot_unavailable')
  expect((await expected(200, move(doctor, id, '2027-01-04T17:00:00Z'))).body.start).toBe('2027-01-04T17:00:00Z')
})

test('a moved request has a new time to be answered in', async () => {
  const { doctor, id, others } = await bookedWith({ profile: { answerWithinMinutes: 30 } })
  rig.pass({ minutes: 20 })
  await expected(200, move(patient, id, others.at(-1)))
  rig.pass({ minutes: 29 })
  expect(await rig.expire()).toBe(0)
  expect((await rig.act(doctor, id, 'confirm')).status).toBe(200)
})

test('a move that does not succeed leaves everything as it was', async () => {
  const { doctor, id, start, others } = await bookedWith()
  const [taken = '', elsewhere = ''] = others
  const colleague = await rig.doctor()
  await expected(201, rig.wish(await rig.patient(), doctor, taken))
  await expected(201, rig.wish(patient, colleague, elsewhere))
  expect(outcome(await move(patient, id, taken))).toBe('409 slot_taken')
  expect(outcome(await move(patient, id, elsewhere))).toBe('409 patient_conflict')
  expect(outcome(await move(patient, id, '2027-01-05T13:01:00Z'))).toBe('422 slot_unavailable')
  expect(outcome(await move(patient, id, start))).toBe('422 validation_failed')
  expect(outcome(await move(patient, id, 'tomorrow'))).toBe('422 validation_failed')
  expect((await rig.call('GET', `/v1/appointments/${id}`, { as: patient })).body).toMatchObject({ start, version: 1, status: 'requested' })
  expect((await rig.call<object[]>('GET', `/v1/appointments/${id}/history`, { as: patient })).body).toHaveLength(1)
})

test('its own time is no obstacle: it may move by less than its length where the hours allow', async () => {
  const { doctor, id, start } = await bookedWith({ profile: { bufferMinutes: 30 } })
  await expected(
    200,
    rig.call('PUT', '/v1/doctors/me/schedule', {
      as: doctor,
      body: { slotMinutes: 30, rules: [{ weekday: 1, start: '08:00', end: '17:00' }] }
    })
  )
  const half = Temporal.Instant.from(start).add({ minutes: 30 }).toString()
  expect((await expected(200, move(patient, id, half))).body).toMatchObject({
    start: half,
    end: Temporal.Instant.from(half).add({ minutes: 30 }).toString()
  })
})

test('the event of a move tells where it was before', async () => {
  const { id, start, others } = await bookedWith()
  await expected(200, move(patient, id, others[3]))
  const [event] = await rows<{ data: object }>(
    rig.sql,
    SQL`select data from outbox where subject = ${id}::uuid and type = 'healthmed.appointment.rescheduled.v1'`
  )
  expect(event?.data).toMatchObject({ start: others[3], previousStart: start, actor: { id: patient.id, role: 'patient' }, version: 2 })
})

test('the appointments of a doctor who is no longer listed can be cancelled, and not moved', async () => {
  const { doctor, id, others } = await bookedWith()
  await rig.tell('healthmed.user.updated.v1', { ...doctor, approval: 'pending', version: 2 })
  expect(outcome(await move(patient, id, others[0]))).toBe('404 doctor_not_found')
  expect((await rig.act(patient, id, 'cancel', { reason: 'x' })).status).toBe(200)
})

test('many who swap and chase each other over the same few slots keep every appointment, none over another', async () => {
  const doctor = await rig.doctor()
  const slots = (await rig.slotsOf(doctor)).slice(0, 12)
  const booked = await Promise.all(
    slots.slice(0, 8).map(async (start) => {
      const who = await rig.patient()
      return { who, id: (await expected(201, rig.wish(who, doctor, start))).body.id }
    })
  )
  const moves = await Promise.all(
    Array.from({ length: 120 }, (_, index) => {
      const { who, id } = booked[index % booked.length] as (typeof booked)[number]
      return move(index % 3 ? who : doctor, id, slots[(index * 7) % slots.length])
    })
  )
  expect(new Set(moves.map(({ status }) => status)).has(500)).toBe(false)
  for (const answer of moves)
    expect(['200', '409 slot_taken', '422 validation_failed']).toContain(
      outcome({ ...answer, body: answer.status === 200 ? ({} as never) : answer.body })
    )
  const after = await rig.call('GET', '/v1/appointments?limit=100', { as: doctor })
  expect(new Set(after.body.items.map(({ start }) => start)).size).toBe(8)
})

/** What the last event of a type says of the time before the move. */
const previousStart = async (id: string, type: string) =>
  (
    await rows<{ data: { previousStart: string | null } }>(
      rig.sql,
      SQL`select data from outbox where subject = ${id}::uuid and type = ${`healthmed.appointment.${type}.v1`} order by seq desc limit 1`
    )
  )[0]?.data.previousStart

test('the end of a moved one tells the time that was given up: the one that stood confirmed, however often it was moved since', async () => {
  const reason = { reason: 'Congresso' }
  const one = await bookedWith()
  await expected(200, rig.act(one.doctor, one.id, 'confirm'))
  await expected(200, move(patient, one.id, one.others[0]))
  await expected(200, move(patient, one.id, one.others[1]))
  await expected(200, rig.act(one.doctor, one.id, 'decline', reason))
  expect(await previousStart(one.id, 'declined')).toBe(one.start)

  const unanswered = await bookedWith({ profile: { answerWithinMinutes: 30 } })
  await expected(200, move(patient, unanswered.id, unanswered.others[0]))
  rig.pass({ minutes: 31 })
  await rig.expire()
  expect(await previousStart(unanswered.id, 'expired')).toBe(unanswered.start)
})

test('one that was never moved, or whose move was confirmed and which then ended otherwise, tells no earlier time', async () => {
  const declined = await bookedWith()
  await expected(200, rig.act(declined.doctor, declined.id, 'decline', { reason: 'Congresso' }))
  expect(await previousStart(declined.id, 'declined')).toBeNull()

  const again = await bookedWith()
  await expected(200, move(patient, again.id, again.others[0]))
  await expected(200, rig.act(again.doctor, again.id, 'confirm'))
  await expected(200, move(patient, again.id, again.others[1]))
  await expected(200, rig.act(again.doctor, again.id, 'decline', { reason: 'Congresso' }))
  expect(await previousStart(again.id, 'declined')).toBe(again.others[0] ?? '')
  const kept = await bookedWith()
  await expected(200, move(kept.doctor, kept.id, kept.others[0]))
  await expected(200, rig.act(patient, kept.id, 'cancel', { reason: 'Vou viajar' }))
  expect(await previousStart(kept.id, 'cancelled')).toBeNull()
})
