import { afterAll, beforeAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { rows, run } from '#platform/data/db'
import type { UserSnapshot } from '#platform/events/events'
import { expected, outcome, type Rig, startRig } from '../testing/testing.ts'

let rig: Rig
beforeAll(async () => {
  rig = await startRig()
})
afterAll(() => rig?.stop())

type Entry = { id: string; status: string; doctorId: string; offer?: { holdId: string; start: string; expiresAt: string } }
const day = '2027-01-05'
const start = `${day}T13:00:00Z`
const join = (as: UserSnapshot, doctor: UserSnapshot, from = day, to = day) =>
  rig.call('POST', '/v1/waitlist', { as, body: { doctorId: doctor.id, from, to } })
const lines = async (as: UserSnapshot) => (await rig.call<{ items: Entry[] }>('GET', '/v1/waitlist', { as })).body.items
const offerOf = async (as: UserSnapshot) => (await lines(as))[0]?.offer
const offersTold = (patient: UserSnapshot) =>
  rows<{ data: object }>(
    rig.sql,
    SQL`select data from outbox where type = 'healthmed.waitlist.offered.v1' and data->>'patientId' = ${patient.id}`
  )

/** A doctor whose slot is booked, and people who wait for that day, in the order of their coming. */
async function fullWith(count: number) {
  const doctor = await rig.doctor()
  const holder = await rig.patient()
  const { id } = (await expected(201, rig.wish(holder, doctor, start))).body
  const waiting: UserSnapshot[] = []
  for (let index = 0; index < count; index++) {
    const person = await rig.patient()
    waiting.push(person)
    await expected(201, join(person, doctor))
    rig.pass({ seconds: 1 })
  }
  const [first, second, third] = waiting as [UserSnapshot, UserSnapshot, UserSnapshot]
  return { doctor, holder, id, first, second, third, free: () => expected(200, rig.act(holder, id, 'cancel', { reason: 'x' })) }
}

const disable = (person: UserSnapshot) => rig.tell('healthmed.user.updated.v1', { ...person, disabled: true, version: 9 })

test('a disabled person has no place in line: the slot goes to the next, however many disabled people are before', async () => {
  const { first, second, third, free } = await fullWith(3)
  await disable(first)
  await disable(second)
  await free()
  expect((await offerOf(third))?.start).toBe(start)
  expect([await offersTold(first), await offersTold(second)]).toEqual([[], []])
})

test('a place that was taken in the moment before the disabling is known is passed over as well', async () => {
  const { first, second, free } = await fullWith(2)
  await run(rig.sql, SQL`update people set disabled = true where id = ${first.id}`)
  await free()
  expect((await offerOf(second))?.start).toBe(start)
})

test('an offer to a person who is disabled goes to the next', async () => {
  const { first, second, free } = await fullWith(2)
  await free()
  expect(await offersTold(first)).toHaveLength(1)
  await disable(first)
  await rig.expire()
  expect((await offerOf(second))?.start).toBe(start)
})

test('when the slot frees, the first in line holds it for fifteen minutes and is told; nobody else can have it', async () => {
  const { doctor, first, second, free } = await fullWith(2)
  await free()
  const expiresAt = rig.now.add({ minutes: 15 }).toString()
  const offer = await offerOf(first)
  expect(offer).toEqual({ holdId: offer?.holdId ?? '', start, expiresAt })
  expect((await lines(first))[0]?.status).toBe('offered')
  expect((await lines(second))[0]?.status).toBe('waiting')
  expect(await rig.slotsOf(doctor)).not.toContain(start)
  expect(outcome(await rig.wish(second, doctor, start))).toBe('409 slot_taken')
  const told = await offersTold(first)
  expect(told.map(({ data }) => data)).toEqual([
    {
      id: (await lines(first))[0]?.id,
      patientId: first.id,
      doctorId: doctor.id,
      start,
      end: '2027-01-05T14:00:00Z',
      timezone: 'America/Sao_Paulo',
      expiresAt
    }
  ])
  expect(await offersTold(second)).toEqual([])
})

test('the one who was offered books it, and is out of the line', async () => {
  const { doctor, first, second, free } = await fullWith(2)
  await free()
  const offer = await offerOf(first)
  expect((await expected(201, rig.wish(first, doctor, start, { holdId: offer?.holdId ?? '' }))).body.id).toBe(offer?.holdId ?? '')
  expect(await lines(first)).toEqual([])
  rig.pass({ minutes: 15 })
  await rig.expire()
  expect(await offerOf(second)).toBeUndefined()
})

test('an offer that is not taken passes on to the next, and when nobody is left the slot is free for all', async () => {
  const { doctor, first, second, free } = await fullWith(2)
  const stranger = await rig.patient()
  await free()
  rig.pass({ minutes: 15 })
  expect(outcome(await rig.wish(stranger, doctor, start))).toBe('409 slot_taken')
  await rig.expire()
  expect(await lines(first)).toEqual([])
  expect((await offerOf(second))?.start).toBe(start)
  expect(outcome(await rig.wish(first, doctor, start))).toBe('409 slot_taken')
  rig.pass({ minutes: 15 })
  await rig.expire()
  expect(await lines(second)).toEqual([])
  expect(outcome(await rig.wish(stranger, doctor, start))).toBe('201')
})

test('who gives the offer up or leaves the line passes it on at once', async () => {
  const { first, second, third, free } = await fullWith(3)
  await free()
  expect((await rig.call('DELETE', `/v1/holds/${(await offerOf(first))?.holdId}`, { as: first })).status).toBe(204)
  expect(await lines(first)).toEqual([])
  expect((await offerOf(second))?.start).toBe(start)
  expect((await rig.call('DELETE', `/v1/waitlist/${(await lines(second))[0]?.id}`, { as: second })).status).toBe(204)
  expect((await offerOf(third))?.start).toBe(start)
})

test('a move, a decline and a hold that runs out free a slot as a cancellation does', async () => {
  const ways = {
    move: (who: UserSnapshot, id: string) => rig.act(who, id, 'reschedule', { start: '2027-01-06T13:00:00Z' }),
    decline: (_: UserSnapshot, id: string, doctor: UserSnapshot) => rig.act(doctor, id, 'decline', { reason: 'x' })
  }
  for (const way of ['move', 'decline'] as const) {
    const { doctor, holder, id, first } = await fullWith(1)
    await ways[way](holder, id, doctor)
    expect([way, (await offerOf(first))?.start]).toEqual([way, start])
  }
  const doctor = await rig.doctor()
  const [holder, waiting] = [await rig.patient(), await rig.patient()]
  await expected(201, rig.call('POST', '/v1/holds', { as: holder, body: { doctorId: doctor.id, start } }))
  await expected(201, join(waiting, doctor))
  rig.pass({ minutes: 5 })
  await rig.expire()
  expect((await offerOf(waiting))?.start).toBe(start)
})

test('who has another appointment then is passed over and keeps the place, and who waits for other days is not asked', async () => {
  const { first, second, free, doctor } = await fullWith(2)
  const other = await rig.patient()
  await expected(201, join(other, doctor, '2027-01-06', '2027-01-09'))
  await expected(201, rig.wish(first, await rig.doctor(), start))
  await free()
  expect((await lines(first))[0]?.status).toBe('waiting')
  expect((await offerOf(second))?.start).toBe(start)
  expect((await lines(other))[0]?.status).toBe('waiting')
})

test('hours that a doctor adds are offered to those who wait for them', async () => {
  const doctor = await rig.doctor({ rules: [] })
  const patient = await rig.patient()
  await expected(201, join(patient, doctor))
  const body = { slotMinutes: 60, rules: [{ weekday: 2, start: '10:00', end: '12:00' }] }
  await expected(200, rig.call('PUT', '/v1/doctors/me/schedule', { as: doctor, body }))
  expect((await offerOf(patient))?.start).toBe(start)
  const closed = await rig.doctor()
  await expected(201, rig.call('POST', '/v1/doctors/me/exceptions', { as: closed, body: { kind: 'closed', from: day, to: day } }))
  await rig.call('DELETE', `/v1/waitlist/${(await lines(patient))[0]?.id}`, { as: patient })
  await expected(201, join(patient, closed))
  expect(await offerOf(patient)).toBeUndefined()
  const { items } = (await rig.call('GET', '/v1/doctors/me/exceptions', { as: closed })).body
  expect((await rig.call('DELETE', `/v1/doctors/me/exceptions/${items[0]?.id}`, { as: closed })).status).toBe(204)
  expect((await offerOf(patient))?.start).toBe('2027-01-05T11:00:00Z')
})

test('a line is joined once, for whatever days, by patients alone, for a doctor who is listed and for at most ninety days', async () => {
  const [doctor, patient] = [await rig.doctor(), await rig.patient()]
  await expected(201, join(patient, doctor))
  expect(outcome(await join(patient, doctor))).toBe('409 conflict')
  const [place] = await lines(patient)
  const changed = await expected(200, join(patient, doctor, '2027-02-01', '2027-02-28'))
  expect(changed.body as unknown).toEqual({ ...place, from: '2027-02-01', to: '2027-02-28' })
  expect(await lines(patient)).toEqual([changed.body as unknown as Entry])
  expect(outcome(await join(patient, doctor, '2027-01-05', '2027-04-05'))).toBe('422 range_too_long')
  expect(outcome(await join(patient, doctor, '2027-01-06', '2027-01-05'))).toBe('422 validation_failed')
  expect(outcome(await join(patient, doctor, '2027-02-30', '2027-03-01'))).toBe('422 validation_failed')
  expect(outcome(await join(patient, { ...doctor, id: crypto.randomUUID() }))).toBe('404 doctor_not_found')
  expect(outcome(await join(doctor, doctor))).toBe('403 forbidden')
  expect(outcome(await rig.call('DELETE', `/v1/waitlist/${(await lines(patient))[0]?.id}`, { as: await rig.patient() }))).toBe(
    '404 not_found'
  )
})

test('other days are waited for from then on, in the same place of the line; not while a slot is offered', async () => {
  const { doctor, first, second, third, holder, free } = await fullWith(3)
  await expected(200, join(first, doctor, '2027-01-06', '2027-01-09'))
  await expected(200, join(first, doctor, '2027-01-05', '2027-01-09'))
  await expected(200, join(second, doctor, '2027-01-06', '2027-01-09'))
  await free()
  expect((await offerOf(first))?.start).toBe(start)
  expect(outcome(await join(first, doctor, '2027-01-06', '2027-01-09'))).toBe('409 conflict')
  expect((await lines(first))[0]?.status).toBe('offered')
  rig.pass({ minutes: 15 })
  await rig.expire()
  expect(await offerOf(second)).toBeUndefined()
  expect((await offerOf(third))?.start).toBe(start)
  expect(outcome(await rig.wish(holder, doctor, start))).toBe('409 slot_taken')
})

test('whoever cannot take the slot is passed over, however many they are and however many places they have', async () => {
  const { doctor, holder, id } = await fullWith(0)
  const unable = await Promise.all(Array.from({ length: 30 }, () => rig.patient()))
  // one time of another doctor each
  for (const person of unable) {
    await expected(201, rig.wish(person, await rig.doctor(), start))
    await expected(201, join(person, doctor))
  }
  // places from before there could be one only
  await run(
    rig.sql,
    SQL`insert into waitlist (id, doctor_id, patient_id, patient_name, from_date, to_date, created_at)
        select gen_random_uuid(), w.doctor_id, w.patient_id, w.patient_name, w.from_date, w.to_date, w.created_at
          from waitlist w, generate_series(1, 5) where w.doctor_id = ${doctor.id}`
  )
  rig.pass({ seconds: 1 })
  const honest = await rig.patient()
  await expected(201, join(honest, doctor))
  await expected(200, rig.act(holder, id, 'cancel', { reason: 'x' }))
  expect((await offerOf(honest))?.start).toBe(start)
}, 30_000)

test('one person with many places of before is offered a slot once, and then it is the next one’s', async () => {
  const { doctor, first, second, free } = await fullWith(1).then(async (made) => {
    await run(
      rig.sql,
      SQL`insert into waitlist (id, doctor_id, patient_id, patient_name, from_date, to_date, created_at)
          select gen_random_uuid(), w.doctor_id, w.patient_id, w.patient_name, w.from_date, w.to_date, w.created_at
            from waitlist w, generate_series(1, 24) where w.doctor_id = ${made.doctor.id}`
    )
    rig.pass({ seconds: 1 })
    const second = await rig.patient()
    await expected(201, join(second, made.doctor))
    return { ...made, second }
  })
  await free()
  expect(await offersTold(first)).toHaveLength(1)
  rig.pass({ minutes: 15 })
  await rig.expire()
  expect(await offersTold(first)).toHaveLength(1)
  expect((await offerOf(second))?.start).toBe(start)
  rig.pass({ minutes: 15 })
  await rig.expire()
  expect(await rig.slotsOf(doctor)).toContain(start)
})

test('two people cannot keep a slot between them by letting its offers lapse in turn', async () => {
  const { doctor, first, second, free } = await fullWith(2)
  await free()
  const offers: boolean[] = []
  for (let round = 0; round < 6; round++) {
    const [served, other] = round % 2 ? [second, first] : [first, second]
    offers.push((await offerOf(served)) !== undefined)
    rig.pass({ minutes: 15 })
    await rig.expire()
    await join(served, doctor)
    expect((await offerOf(other)) !== undefined).toBe(round === 0)
  }
  expect(offers).toEqual([true, true, false, false, false, false])
  expect(await rig.slotsOf(doctor)).toContain(start)
})

test('a place whose days are over counts no more, for the doctor and for the ten', async () => {
  const [patient, ...doctors] = await Promise.all([rig.patient(), ...Array.from({ length: 11 }, () => rig.doctor())])
  for (const doctor of doctors.slice(0, 10)) await expected(201, join(patient, doctor))
  expect(outcome(await join(patient, doctors[10] as UserSnapshot))).toBe('409 conflict')
  rig.pass({ hours: 24 * 3 })
  await expected(201, join(patient, doctors[10] as UserSnapshot, '2027-01-09', '2027-01-10'))
  await expected(201, join(patient, doctors[0] as UserSnapshot, '2027-01-09', '2027-01-10'))
})
