import { afterAll, beforeAll, expect, test } from 'bun:test'
import ICAL from 'ical.js'
import SQL from 'sql-template-strings'
import { run } from '#platform/data/db'
import { expected, organizer, outcome, type Rig, startRig } from '../testing/testing.ts'

let rig: Rig
beforeAll(async () => {
  rig = await startRig()
})
afterAll(() => rig?.stop())

const newFeed = async (as: { id: string }) =>
  new URL((await expected(201, rig.call('POST', '/v1/calendar-feed', { as }))).body.url).pathname
const eventsOf = (text: string) => new ICAL.Component(ICAL.parse(text)).getAllSubcomponents('vevent')
const values = (text: string, name: string): unknown[] => eventsOf(text).map((event) => event.getFirstPropertyValue(name))

test('an address can be given up, and giving up none is no error', async () => {
  const patient = await rig.patient()
  const path = await newFeed(patient)
  for (let nth = 0; nth < 2; nth++) {
    const { status, text } = await rig.call('DELETE', '/v1/calendar-feed', { as: patient })
    expect([status, text]).toEqual([204, ''])
  }
  expect(outcome(await rig.call('GET', path))).toBe('404 not_found')
  expect((await rig.call('GET', await newFeed(patient))).status).toBe(200)
  expect(outcome(await rig.call('DELETE', '/v1/calendar-feed'))).toBe('401 unauthenticated')
})

test('an empty calendar has the component that every calendar must have, and no method, which would ask for an event', async () => {
  const { text } = await rig.call('GET', await newFeed(await rig.patient()))
  const calendar = new ICAL.Component(ICAL.parse(text))
  expect(calendar.getFirstPropertyValue('version')).toBe('2.0')
  expect(calendar.getAllSubcomponents().map(({ name }) => name)).toEqual(['vtimezone'])
  const zone = new ICAL.Timezone(calendar.getFirstSubcomponent('vtimezone') as ICAL.Component)
  expect(zone.utcOffset(ICAL.Time.fromString('2027-01-05T11:00:00', undefined as never))).toBe(0)
  expect(calendar.getFirstPropertyValue('method')).toBeNull()
  expect(text).toContain('REFRESH-INTERVAL;VALUE=DURATION:PT15M\r\n')
})

test('every line of a calendar ends as the format wants it, the last one too', async () => {
  const [doctor, patient] = [await rig.doctor(), await rig.patient()]
  const empty = await rig.call('GET', await newFeed(patient))
  const { id } = (await expected(201, rig.wish(patient, doctor, (await rig.slotsOf(doctor))[0] ?? ''))).body
  const file = await rig.call('GET', `/v1/appointments/${id}/calendar.ics`, { as: patient })
  for (const { text } of [empty, file, await rig.call('GET', await newFeed(patient))]) {
    expect(text).toEndWith('END:VCALENDAR\r\n')
    expect(text.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/)
    expect(text).not.toContain('\r\n\r\n')
  }
})

test('every entry names who invites, and the calendar when to ask again', async () => {
  const [doctor, patient] = [await rig.doctor(), await rig.patient()]
  const slots = await rig.slotsOf(doctor)
  for (const start of slots.slice(0, 3)) await expected(201, rig.wish(patient, doctor, start))
  const { text } = await rig.call('GET', await newFeed(doctor))
  expect(new ICAL.Component(ICAL.parse(text)).getFirstPropertyValue('method')).toBe('PUBLISH')
  expect(values(text, 'organizer')).toEqual(Array(3).fill(`mailto:${organizer.address}`))
  expect(text).toMatch(/^REFRESH-INTERVAL;VALUE=DURATION:PT15M\r$/m)
  expect(text).toMatch(/^X-PUBLISHED-TTL:PT15M\r$/m)
})

test('what ended unconfirmed is left out; what was confirmed once stays, cancelled, and so does what took place', async () => {
  const [doctor, patient] = [await rig.doctor({ profile: { answerWithinMinutes: 30 } }), await rig.patient()]
  const slots = (await rig.slotsOf(doctor)).slice(9)
  const book = async (nth: number) => (await expected(201, rig.wish(patient, doctor, slots[nth] ?? ''))).body.id
  const act = async (who: { id: string }, id: string, verb: string, body?: object) => expected(200, rig.act(who, id, verb, body))
  const reason = { reason: 'Congresso' }
  const confirmed = async (nth: number) => {
    const id = await book(nth)
    await act(doctor, id, 'confirm')
    return id
  }
  const declined = await book(0)
  await act(doctor, declined, 'decline', reason)
  const withdrawn = await book(1)
  await act(patient, withdrawn, 'cancel', reason)
  const unanswered = await book(2)
  const cancelled = await confirmed(3)
  await act(patient, cancelled, 'cancel', reason)
  const movedThenDeclined = await confirmed(4)
  await act(patient, movedThenDeclined, 'reschedule', { start: slots[5] })
  await act(doctor, movedThenDeclined, 'decline', reason)
  const movedThenUnanswered = await confirmed(6)
  await act(patient, movedThenUnanswered, 'reschedule', { start: slots[7] })
  const stands = await confirmed(8)
  rig.pass({ minutes: 31 })
  while (await rig.expire());
  const requested = await book(9)
  for (const who of [doctor, patient]) {
    const { text } = await rig.call('GET', await newFeed(who))
    const states = Object.fromEntries(
      eventsOf(text).map((event) => [String(event.getFirstPropertyValue('uid')).slice(0, 36), event.getFirstPropertyValue('status')])
    )
    expect(states).toEqual({
      [cancelled]: 'CANCELLED',
      [movedThenDeclined]: 'CANCELLED',
      [movedThenUnanswered]: 'CANCELLED',
      [stands]: 'CONFIRMED',
      [requested]: 'TENTATIVE'
    })
    expect([declined, withdrawn, unanswered].some((id) => text.includes(id))).toBe(false)
  }
})

test('a name that was kept with hidden characters is shown without them', async () => {
  const [doctor, patient] = [await rig.doctor(), await rig.patient({ name: 'Ana\u202e\u200bLima\nRocha' })]
  const [start = ''] = await rig.slotsOf(doctor)
  const { id } = (await expected(201, rig.wish(patient, doctor, start))).body
  const file = await rig.call('GET', `/v1/appointments/${id}/calendar.ics`, { as: doctor })
  for (const { text } of [file, await rig.call('GET', await newFeed(doctor))])
    expect(values(text, 'summary')).toEqual(['Health&Med: AnaLima Rocha'])
})

/** Appointments of a doctor put into the table: one every 10 minutes from `fromHours` from now on, all confirmed before. */
const fill = async (doctor: { id: string }, { count, fromHours, status }: { count: number; fromHours: number; status: string }) => {
  const start = new Date(rig.now.epochMilliseconds + fromHours * 3_600_000)
  await run(
    rig.sql,
    SQL`with made as (
          insert into appointments (id, doctor_id, patient_id, patient_name, status, during, doctor_during, timezone, price_amount, price_currency, created_at, updated_at)
          select gen_random_uuid(), ${doctor.id}::uuid, gen_random_uuid(), 'Rui', ${status}, r, r, 'UTC', 1, 'BRL', ${start}, ${start}
            from (select tstzrange(${start}::timestamptz + n * interval '10 minutes', ${start}::timestamptz + (n + 1) * interval '10 minutes') as r
                    from generate_series(0, ${count - 1}::int) n) s
          returning id, doctor_id, patient_id)
        insert into history (appointment_id, doctor_id, patient_id, at, actor_role, action, to_status, version)
        select id, doctor_id, patient_id, ${start}::timestamptz, 'doctor', 'confirm', 'confirmed', 1 from made`
  )
}

test('all that is ahead comes first and whole, however much there is of the past and of what was cancelled', async () => {
  const doctor = await rig.doctor()
  await fill(doctor, { count: 1_500, fromHours: -24 * 60, status: 'completed' })
  await fill(doctor, { count: 1_500, fromHours: 24, status: 'cancelled' })
  await fill(doctor, { count: 1_500, fromHours: 24, status: 'confirmed' })
  const { text } = await rig.call('GET', await newFeed(doctor))
  const states = values(text, 'status')
  expect(states.slice(0, 1_500)).toEqual(Array(1_500).fill('CONFIRMED'))
  const starts = eventsOf(text).map((event) => (event.getFirstPropertyValue('dtstart') as ICAL.Time).toJSDate().getTime())
  const ahead = starts.slice(0, 1_500)
  expect(ahead).toEqual([...ahead].sort((a, b) => a - b))
  expect(Math.min(...ahead)).toBeGreaterThan(rig.now.epochMilliseconds)
  // the newest of what is past, and a part of what was cancelled: neither takes the place of the other
  const past = starts.filter((start) => start < rig.now.epochMilliseconds)
  expect([past.length, states.filter((state) => state === 'CANCELLED').length]).toEqual([500, 500])
  expect(new Set(values(text, 'uid')).size).toBe(states.length)
  const newest = rig.now.epochMilliseconds - 24 * 60 * 3_600_000 + 1_499 * 600_000
  expect(Math.max(...past)).toBe(newest)
})

test('a calendar that has not changed is not sent again, and any change that it shows makes a new tag', async () => {
  const [doctor, patient] = [await rig.doctor(), await rig.patient()]
  const [start = ''] = await rig.slotsOf(doctor)
  const path = await newFeed(doctor)
  const read = (tag?: string | null) => rig.call('GET', path, tag ? { headers: { 'if-none-match': tag } } : {})
  const tags = [(await read()).headers.get('etag')]
  const changed = async () => {
    const answer = await read(tags.at(-1))
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/calendar; charset=utf-8'])
    tags.push(answer.headers.get('etag'))
    for (const known of [tags.at(-1), `W/${tags.at(-1)}`, `"x", ${tags.at(-1)}`, '*']) {
      const same = await read(known)
      expect([same.status, same.text, same.headers.get('etag')]).toEqual([304, '', tags.at(-1) as string])
    }
  }
  const { id } = (await expected(201, rig.wish(patient, doctor, start))).body
  await changed()
  await expected(200, rig.act(doctor, id, 'confirm'))
  await changed()
  await rig.tell('healthmed.user.updated.v1', { ...patient, name: 'João Novo', version: 2 })
  await changed()
  await expected(200, rig.act(patient, id, 'cancel', { reason: 'Vou viajar' }))
  await changed()
  expect(new Set(tags).size).toBe(tags.length)
})

test('while large calendars are written, others are answered: none waits for a whole one', async () => {
  const [doctor, other] = [await rig.doctor(), await rig.doctor()]
  await fill(doctor, { count: 5_000, fromHours: 24, status: 'confirmed' })
  const path = await newFeed(doctor)
  const timed = async (work: Promise<{ status: number }>) => {
    const began = performance.now()
    expect((await work).status).toBe(200)
    return performance.now() - began
  }
  const small = () => timed(rig.call('GET', `/v1/doctors/${other.id}`))
  await small()
  const alone = await timed(rig.call('GET', path))
  let written = 0
  const writing = Array.from({ length: 4 }, () => timed(rig.call('GET', path)).then(() => written++))
  const waits: number[] = []
  while (written < 4) waits.push(await small())
  await Promise.all(writing)
  expect(waits.length).toBeGreaterThan(20)
  // nearly the longest: on a machine that is busy with other things, one may wait for those
  expect(waits.sort((a, b) => a - b)[Math.floor(waits.length * 0.95)]).toBeLessThan(alone)
})
