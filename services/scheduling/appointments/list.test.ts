import { afterAll, beforeAll, expect, test } from 'bun:test'
import ICAL from 'ical.js'
import SQL from 'sql-template-strings'
import { one, run, transaction } from '#platform/data/db'
import type { UserSnapshot } from '#platform/events/events'
import { expected, outcome, type Rig, startRig } from '../testing/testing.ts'
import { listAppointments } from './queries.ts'

let rig: Rig
let doctor: UserSnapshot
let patient: UserSnapshot
const made: { id: string; start: string }[] = []
beforeAll(async () => {
  rig = await startRig()
  doctor = await rig.doctor()
  patient = await rig.patient()
  const slots = await rig.slotsOf(doctor)
  for (const index of [30, 2, 11, 20, 7]) made.push((await expected(201, rig.wish(patient, doctor, slots[index] ?? ''))).body)
  await expected(201, rig.wish(await rig.patient(), doctor, slots[0] ?? ''))
  made.sort((a, b) => (a.start < b.start ? -1 : 1))
})
afterAll(() => rig?.stop())

const list = (query = '', as = patient) => rig.call('GET', `/v1/appointments${query}`, { as })
const idsOf = async (query = '', as = patient) => (await expected(200, list(query, as))).body.items.map(({ id }) => id)
const ids = () => made.map(({ id }) => id)

test("the caller's own appointments come soonest first, or last first if asked", async () => {
  expect(await idsOf()).toEqual(ids())
  expect(await idsOf('?sort=-start')).toEqual(ids().reverse())
  expect(await idsOf('', await rig.patient())).toEqual([])
  expect(await idsOf('', doctor)).toHaveLength(6)
})

test('pages follow each other by their cursors without a gap or a repeat, in both directions, though new ones come between', async () => {
  for (const sort of ['start', '-start']) {
    const seen: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const page: Awaited<ReturnType<typeof list>> = await list(`?limit=2&sort=${sort}${cursor && `&cursor=${cursor}`}`)
      expect(page.body.items.length).toBeLessThanOrEqual(2)
      seen.push(...page.body.items.map(({ id }) => id))
      cursor = page.body.nextCursor
    }
    expect(seen).toEqual(sort === 'start' ? ids() : ids().reverse())
  }
})

test('status, from and to choose; a date is its whole day, an instant the very moment', async () => {
  const [first, second, third] = made
  await expected(200, rig.act(doctor, second?.id ?? '', 'confirm'))
  expect(await idsOf('?status=confirmed')).toEqual([second?.id ?? ''])
  expect(await idsOf('?status=requested')).toHaveLength(4)
  expect(await idsOf(`?from=${second?.start}`)).toEqual(ids().slice(1))
  expect(await idsOf(`?to=${third?.start}`)).toEqual(ids().slice(0, 2))
  const day = first?.start.slice(0, 10)
  expect(await idsOf(`?from=${day}&to=${day}`)).toEqual(made.filter(({ start }) => start.startsWith(day ?? '-')).map(({ id }) => id))
})

test('a list is planned once, and reads none of the years before it', async () => {
  const [busy, from] = [await rig.doctor(), new Date('2027-01-01T00:00:00Z')]
  const question = { partyId: busy.id, role: 'doctor', status: null, from, to: null, descending: false, after: null, limit: 21 } as const
  const { anew, kept, read } = await transaction(rig.sql, async (tx) => {
    await run(
      tx,
      SQL`insert into appointments (id, doctor_id, patient_id, patient_name, status, during, doctor_during, timezone, price_amount, price_currency, created_at, updated_at)
          select gen_random_uuid(), ${busy.id}::uuid, gen_random_uuid(), 'Ana', 'completed', r, r, 'America/Sao_Paulo', 1, 'BRL', lower(r), lower(r)
            from generate_series(1, 2000) k, lateral (select tstzrange(${from}::timestamptz - k * interval '1 day', ${from}::timestamptz - k * interval '1 day' + interval '1 hour') as r) v`
    )
    const count = SQL`select coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) as read from pg_stat_xact_user_tables where relid = 'appointments'::regclass`
    const before = await one<{ read: number }>(tx, count)
    for (let asked = 0; asked < 8; asked++) expect(await listAppointments(tx, question)).toEqual([])
    const after = await one<{ read: number }>(tx, count)
    const plans = await one<{ anew: number; kept: number }>(
      tx,
      SQL`select custom_plans as anew, generic_plans as kept from pg_prepared_statements
           where statement like '%where a.doctor_id%order by lower(a.during), a.id%' order by custom_plans + generic_plans desc limit 1`
    )
    return { ...plans, read: after.read - before.read }
  })
  // five times PostgreSQL plans for the values that it is given, and then compares
  expect({ anew, kept, read }).toEqual({ anew: 5, kept: 3, read: 0 })
})

test('a question that makes no sense is refused with its field', async () => {
  for (const [query, path] of [
    ['?limit=0', '/limit'],
    ['?limit=101', '/limit'],
    ['?limit=x', '/limit'],
    ['?cursor=abc', '/cursor'],
    [`?cursor=${btoa('["1",1]')}`, '/cursor'],
    [`?cursor=${btoa('["x","y"]')}`, '/cursor'],
    [`?cursor=${btoa('["2027-01-01","y"]')}`, '/cursor'],
    ['?status=held', '/status'],
    ['?sort=id', '/sort'],
    ['?from=2027-02-30', '/from'],
    ['?to=soon', '/to']
  ]) {
    const answer = await list(query)
    expect([query, outcome(answer), answer.body.errors?.[0]?.path]).toEqual([query, '422 validation_failed', path])
  }
})

test('the calendar file is one event in UTC with a lasting UID, a sequence that rises and the status of the appointment', async () => {
  const { id, start } = made[4] as (typeof made)[number]
  const read = async (as: UserSnapshot) => {
    const answer = await rig.call('GET', `/v1/appointments/${id}/calendar.ics`, { as })
    expect(answer.headers.get('content-type')).toBe('text/calendar; charset=utf-8')
    for (const line of answer.text.split('\r\n')) expect(new TextEncoder().encode(line).length).toBeLessThanOrEqual(75)
    const event = new ICAL.Component(ICAL.parse(answer.text)).getFirstSubcomponent('vevent')
    const value = (name: string) => event?.getFirstPropertyValue(name)
    return {
      uid: value('uid') as unknown,
      start: (value('dtstart') as ICAL.Time).toJSDate().toISOString(),
      end: (value('dtend') as ICAL.Time).toJSDate().toISOString(),
      status: value('status') as unknown,
      sequence: value('sequence') as unknown,
      summary: value('summary') as unknown
    }
  }
  const at = (instant: string) => new Date(instant).toISOString()
  const first = {
    uid: `${id}@healthmed`,
    start: at(start),
    end: at(Temporal.Instant.from(start).add({ hours: 1 }).toString()),
    sequence: 1
  }
  expect(await read(patient)).toEqual({ ...first, status: 'TENTATIVE', summary: `Health&Med: ${doctor.name}` })
  await expected(200, rig.act(doctor, id, 'confirm'))
  expect(await read(doctor)).toEqual({ ...first, sequence: 2, status: 'CONFIRMED', summary: `Health&Med: ${patient.name}` })
  await expected(200, rig.act(doctor, id, 'cancel', { reason: 'Congresso' }))
  expect(await read(patient)).toMatchObject({ uid: first.uid, sequence: 3, status: 'CANCELLED' })
})
