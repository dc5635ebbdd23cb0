import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type Answer, expected, type Rig, startRig } from '../testing/testing.ts'

let rig: Rig
beforeAll(async () => {
  rig = await startRig()
})
afterAll(() => rig?.stop())

const refusal = ({ status, body }: Answer) => [status, body.code, body.errors?.map(({ path }) => path)]
const marks = ['\u202e', '\u2066', '\u200f', '\u200b', '\u200d', '\ufeff', '\u00ad', '\u2028', '\u{e0041}', '\u0007', '\u001b']

test('no text that another person reads may hold invisible characters or ones that turn it around', async () => {
  const [doctor, patient] = [await rig.doctor(), await rig.patient()]
  const [start = '', later = ''] = await rig.slotsOf(doctor)
  const { id } = (await expected(201, rig.wish(patient, doctor, later))).body
  const profile = { specialties: ['cardiologia'], price: { amount: 1, currency: 'BRL' }, timezone: 'America/Sao_Paulo' }
  const closed = { kind: 'closed', from: '2027-02-01', to: '2027-02-01' }
  for (const mark of marks) {
    const reason = `Vou${mark}viajar`
    expect(refusal(await rig.wish(patient, doctor, start, { reason }))).toEqual([422, 'validation_failed', ['/reason']])
    expect(refusal(await rig.act(doctor, id, 'decline', { reason }))).toEqual([422, 'validation_failed', ['/reason']])
    for (const who of [doctor, patient])
      expect(refusal(await rig.act(who, id, 'cancel', { reason }))).toEqual([422, 'validation_failed', ['/reason']])
    const except = rig.call('POST', '/v1/doctors/me/exceptions', { as: doctor, body: { ...closed, reason } })
    expect(refusal(await except)).toEqual([422, 'validation_failed', ['/reason']])
    const told = rig.call('PUT', '/v1/doctors/me/profile', { as: doctor, body: { ...profile, bio: reason } })
    expect(refusal(await told)).toEqual([422, 'validation_failed', ['/bio']])
  }
})

test('a reason of several lines, with tabs and emoji, is kept as it was typed', async () => {
  const [doctor, patient] = [await rig.doctor(), await rig.patient()]
  const [start = ''] = await rig.slotsOf(doctor)
  const reason = 'Dor no joelho.\r\n\tDesde ontem\n👩‍⚕️ ❤️ “urgente”'
  const { body } = await expected(201, rig.wish(patient, doctor, start, { reason }))
  expect(body).toMatchObject({ reason })
  const cancelled = await expected(200, rig.act(patient, body.id, 'cancel', { reason }))
  expect(cancelled.body).toMatchObject({ statusReason: reason })
})
