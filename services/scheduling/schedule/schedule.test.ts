import { afterAll, beforeAll, expect, test } from 'bun:test'
import { everyDay, expected, outcome, type Rig, someDoctor, startRig } from '../testing/testing.ts'

let rig: Rig
beforeAll(async () => {
  rig = await startRig()
})
afterAll(() => rig?.stop())

type Doctor = { id: string }
const publish = (as: Doctor, rules: object[], slotMinutes: unknown = 60) =>
  rig.call('PUT', '/v1/doctors/me/schedule', { as, body: { slotMinutes, rules } })
const except = (as: Doctor, body: object) => rig.call('POST', '/v1/doctors/me/exceptions', { as, body })
const profile = (as: Doctor, more: object) =>
  rig.call('PUT', '/v1/doctors/me/profile', {
    as,
    body: { specialties: ['cardiologia'], price: { amount: 1, currency: 'BRL' }, timezone: 'UTC', ...more }
  })

test('windows of a weekday that overlap while both are in force are refused; those that touch or never meet are not', async () => {
  const doctor = await rig.doctor()
  const monday = (start: string, end: string, more = {}) => ({ weekday: 1, start, end, ...more })
  const refused = [
    [monday('08:00', '12:00'), monday('11:59', '13:00')],
    [monday('08:00', '12:00'), monday('08:00', '12:00')],
    [monday('08:00', '12:00', { validUntil: '2027-06-30' }), monday('09:00', '10:00', { validFrom: '2027-06-30' })]
  ]
  for (const rules of refused) expect(outcome(await publish(doctor, rules))).toBe('422 schedule_overlap')
  const accepted = [
    [monday('08:00', '12:00'), monday('12:00', '24:00')],
    [monday('08:00', '12:00'), { ...monday('08:00', '12:00'), weekday: 2 }],
    [monday('08:00', '12:00', { validUntil: '2027-06-30' }), monday('09:00', '10:00', { validFrom: '2027-07-01' })],
    []
  ]
  for (const rules of accepted) expect(outcome(await publish(doctor, rules))).toBe('200')
})

test('windows that are empty or end before they start are refused, and so are times and dates that do not exist', async () => {
  const doctor = await rig.doctor()
  const rule = { weekday: 1, start: '08:00', end: '12:00' }
  const refused: [object, string][] = [
    [{ ...rule, end: '08:00' }, '422 invalid_window'],
    [{ ...rule, start: '22:00', end: '06:00' }, '422 invalid_window'],
    [{ ...rule, start: '24:00', end: '24:00' }, '422 invalid_window'],
    [{ ...rule, validFrom: '2027-02-02', validUntil: '2027-02-01' }, '422 invalid_window'],
    [{ ...rule, validFrom: '2027-02-30' }, '422 validation_failed'],
    [{ ...rule, end: '25:00' }, '422 validation_failed'],
    [{ ...rule, start: '8:00' }, '422 validation_failed'],
    [{ ...rule, weekday: 0 }, '422 validation_failed'],
    [{ ...rule, weekday: 8 }, '422 validation_failed'],
    [{ ...rule, room: 1 }, '422 validation_failed']
  ]
  for (const [wish, word] of refused) expect([wish, outcome(await publish(doctor, [wish]))]).toEqual([wish, word])
  for (const minutes of [0, 4, 481, 7.5, '60']) expect(outcome(await publish(doctor, [rule], minutes))).toBe('422 validation_failed')
  expect(await rig.slotsOf(doctor)).toHaveLength(61)
})

test('a change of hours tells which booked appointments of the future now lie outside, and leaves them as they are', async () => {
  const [doctor, patient] = [await rig.doctor(), await rig.patient()]
  const book = async (start: string) => (await expected(201, rig.wish(patient, doctor, start))).body.id
  const [morning, evening, moved] = [
    await book('2027-01-05T11:00:00Z'),
    await book('2027-01-05T19:00:00Z'),
    await book('2027-01-06T19:00:00Z')
  ]
  await expected(200, rig.act(patient, moved, 'cancel', { reason: 'x' }))
  expect((await expected(200, publish(doctor, everyDay('08:00', '12:00')))).body.conflicts).toEqual([evening])
  expect((await rig.call('GET', `/v1/appointments/${evening}`, { as: patient })).body.status).toBe('requested')
  const closed = await expected(201, except(doctor, { kind: 'closed', from: '2027-01-05', to: '2027-01-05', start: '08:30', end: '08:45' }))
  expect(closed.body.conflicts.sort()).toEqual([morning, evening].sort())
  expect((await expected(200, publish(doctor, everyDay('08:00', '17:00'), 45))).body.conflicts).toEqual([morning])
})

test('exceptions are kept, listed by their days over pages, and taken back', async () => {
  const doctor = await rig.doctor()
  const days = ['2027-03-03', '2027-01-05', '2027-02-02']
  for (const day of days) await expected(201, except(doctor, { kind: 'closed', from: day, to: day, reason: 'Congresso' }))
  const timed = await expected(201, except(doctor, { kind: 'open', from: '2027-01-09', to: '2027-01-10', start: '18:00', end: '24:00' }))
  const list = async (query = '') =>
    (
      await rig.call<{ items: { id: string; from: string }[]; nextCursor: string | null }>('GET', `/v1/doctors/me/exceptions${query}`, {
        as: doctor
      })
    ).body
  const { items } = await list()
  expect(items.map(({ from }) => from)).toEqual(['2027-01-05', '2027-01-09', '2027-02-02', '2027-03-03'])
  expect(items[1] as unknown).toEqual({
    id: timed.body.id,
    kind: 'open',
    from: '2027-01-09',
    to: '2027-01-10',
    start: '18:00',
    end: '24:00'
  })
  const first = await list('?limit=3')
  expect((await list(`?limit=3&cursor=${first.nextCursor}`)).items.map(({ from }) => from)).toEqual(['2027-03-03'])
  expect(outcome(await rig.call('GET', `/v1/doctors/me/exceptions?cursor=${btoa('["2027-02-31","x"]')}`, { as: doctor }))).toBe(
    '422 validation_failed'
  )
  expect(await rig.slotsOf(doctor, '?from=2027-01-05&to=2027-01-05')).toEqual([])
  const other = await rig.doctor()
  expect(outcome(await rig.call('DELETE', `/v1/doctors/me/exceptions/${items[0]?.id}`, { as: other }))).toBe('404 not_found')
  expect((await rig.call('DELETE', `/v1/doctors/me/exceptions/${items[0]?.id}`, { as: doctor })).status).toBe(204)
  expect(await rig.slotsOf(doctor, '?from=2027-01-05&to=2027-01-05')).toHaveLength(9)
})

test('exceptions that make no sense are refused', async () => {
  const doctor = await rig.doctor()
  const day = { kind: 'closed', from: '2027-01-05', to: '2027-01-05' }
  const refused: [object, string][] = [
    [{ ...day, to: '2027-01-04' }, '422 invalid_window'],
    [{ ...day, start: '10:00', end: '10:00' }, '422 invalid_window'],
    [{ ...day, start: '10:00' }, '422 validation_failed'],
    [{ ...day, end: '10:00' }, '422 validation_failed'],
    [{ ...day, from: '2027-02-30' }, '422 validation_failed'],
    [{ ...day, kind: 'away' }, '422 validation_failed'],
    [{ ...day, to: '2028-02-05' }, '422 range_too_long']
  ]
  for (const [wish, word] of refused) expect([wish, outcome(await except(doctor, wish))]).toEqual([wish, word])
})

test('a profile has a zone and specialties that exist; what is left out takes its standard', async () => {
  const doctor = await rig.doctor()
  expect(outcome(await profile(doctor, { timezone: 'America/Atlantis' }))).toBe('422 invalid_timezone')
  expect(outcome(await profile(doctor, { timezone: '+03:00' }))).toBe('422 invalid_timezone')
  expect((await profile(doctor, { specialties: ['cardiologia', 'magia'] })).body.errors).toMatchObject([{ path: '/specialties/1' }])
  for (const more of [
    { specialties: [] },
    { price: { amount: 1.5, currency: 'BRL' } },
    { price: { amount: -1, currency: 'BRL' } },
    { bufferMinutes: -1 },
    { x: 1 }
  ])
    expect(outcome(await profile(doctor, more))).toBe('422 validation_failed')
  await expected(200, profile(doctor, { bufferMinutes: 10, bio: 'Olá', autoConfirm: true }))
  expect((await expected(200, profile(doctor, {}))).body as unknown).toMatchObject({
    bufferMinutes: 0,
    autoConfirm: false,
    minNoticeMinutes: 60
  })
})

test('a smaller buffer counts for what is booked already, and a larger one as well', async () => {
  const [doctor, patient] = [await rig.doctor({ profile: { bufferMinutes: 30 }, slotMinutes: 30 }), await rig.patient()]
  await expected(201, rig.wish(patient, doctor, '2027-01-06T13:00:00Z'))
  const around = async () =>
    (await rig.slotsOf(doctor, '?from=2027-01-06&to=2027-01-06'))
      .map((start) => start.slice(11, 16))
      .filter((at) => at >= '12:00' && at < '15:00')
  const body = { specialties: ['cardiologia'], price: { amount: 1, currency: 'BRL' }, timezone: 'America/Sao_Paulo' }
  const buffer = (bufferMinutes: number) =>
    expected(200, rig.call('PUT', '/v1/doctors/me/profile', { as: doctor, body: { ...body, bufferMinutes } }))
  expect(await around()).toEqual(['12:00', '14:00', '14:30'])
  await buffer(0)
  expect(await around()).toEqual(['12:00', '12:30', '13:30', '14:00', '14:30'])
  await expected(201, rig.wish(await rig.patient(), doctor, '2027-01-06T13:30:00Z'))
  await buffer(60)
  expect(await around()).toEqual([])
})

test('only doctors publish, and one who has not yet has an empty schedule', async () => {
  const patient = await rig.patient()
  for (const path of ['profile', 'schedule', 'exceptions'])
    expect(outcome(await rig.call('GET', `/v1/doctors/me/${path}`, { as: patient }))).toBe('403 forbidden')
  const fresh = await rig.signIn(someDoctor())
  expect((await rig.call('GET', '/v1/doctors/me/schedule', { as: fresh })).body as unknown).toEqual({ slotMinutes: null, rules: [] })
  expect((await rig.call('GET', '/v1/doctors/me/profile', { as: fresh })).body as unknown).toMatchObject({ price: null, specialties: [] })
})
