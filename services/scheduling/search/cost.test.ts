import { afterAll, beforeAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { rows, run, type Sql } from '#platform/data/db'
import { specialties } from '../doctors/specialties.ts'
import { fill } from '../metrics.ts'
import { type Rig, startRig } from '../testing/testing.ts'
import { type Search, searchDoctors } from './directory.ts'
import { earliestSlots } from './earliest.ts'
import { learn } from './search-by-next-slot.ts'

/* What a search costs in a database of 3,000 doctors, counted in rows that reach the process and in pages that the database touches: no time is measured. */
const DOCTORS = 3_000
/** Monday evening: nobody is there any more today. */
const now = Temporal.Instant.from('2027-01-04T23:00:00Z')
const LAST = 'ffffffff-ffff-4fff-bfff-ffffffffffff'
const FIRST = '00000000-0000-4000-8000-000000000000'

let rig: Rig
beforeAll(async () => {
  rig = await startRig()
  rig.now = now
  await fill(rig.sql, { doctors: DOCTORS, appointments: 2 * DOCTORS, now: new Date(now.epochMilliseconds) })
  while ((await learn(rig.sql, now.epochMilliseconds)) > 0);
  await rig.sql.unsafe('analyze')
}, 60_000)
afterAll(() => rig?.stop())

type Cost = { statements: number; rows: number; pages: number }

/** Runs a search, and each statement of it that reads once more under `explain`. */
async function costOf(search: (sql: Sql) => Promise<unknown>): Promise<Cost> {
  const asked: { text: string; values: never[]; rows: number }[] = []
  const unsafe = async (text: string, values: never[], options: never) => {
    const found = await rig.sql.unsafe(text, values, options)
    asked.push({ text, values, rows: found.length })
    return found
  }
  await search(new Proxy(rig.sql, { get: (sql, name) => (name === 'unsafe' ? unsafe : Reflect.get(sql, name)) }))
  let pages = 0
  const reads = asked.filter(({ text }) => !/^\s*update/.test(text))
  for (const { text, values } of reads) {
    const [plan] = await rig.sql.unsafe<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }[]>(
      `explain (analyze, buffers, timing off, format json) ${text}`,
      values
    )
    const found = Object.values(plan ?? {})[0] as [{ Plan: Record<string, number> }]
    pages += (found[0].Plan['Shared Hit Blocks'] ?? 0) + (found[0].Plan['Shared Read Blocks'] ?? 0)
  }
  return { statements: reads.length, rows: asked.reduce((sum, each) => sum + each.rows, 0), pages }
}
const search = (wish: Search) => costOf((sql) => searchDoctors(sql, wish, now))
const day = (days: number) =>
  now
    .add({ hours: 24 * days })
    .toString()
    .slice(0, 10)
/** A cursor that nobody was given. */
const cursorAt = (sort: string, ...position: unknown[]) =>
  Buffer.from(JSON.stringify([`doctors by ${sort}`, ...position])).toString('base64url')
const NOTHING = { statements: 0, rows: 0, pages: 0 }

test('dates that are over everywhere, or that no booking window reaches, are answered without asking the database', async () => {
  for (const sort of ['next_slot', 'price', 'name'] as const)
    for (const dates of [
      { availableTo: '2020-01-01' },
      { availableTo: '1900-01-01' },
      { availableTo: day(-1) },
      { availableFrom: day(-9), availableTo: day(-2) },
      { availableFrom: day(368) },
      { availableFrom: '2199-12-31' },
      { availableFrom: '2199-12-01', availableTo: '2199-12-31' }
    ]) {
      expect([dates, await search({ ...dates, sort })]).toEqual([dates, NOTHING])
      expect((await searchDoctors(rig.sql, { ...dates, sort }, now)).items).toEqual([])
    }
  for (const dates of [{ to: '2020-01-01' }, { to: day(-1) }, { from: day(368) }, { from: '2199-12-01', to: '2199-12-31' }]) {
    const specialty = 'cardiologia'
    expect([dates, await costOf((sql) => earliestSlots(sql, { specialty, ...dates }, now))]).toEqual([dates, NOTHING])
  }
})

test('dates on which nobody can be free reach no doctor’s calendar', async () => {
  const sunday = day(6)
  const dates = [
    // the booking window ends on these two: a Saturday and a Sunday
    { availableFrom: day(89) },
    { availableFrom: day(90) },
    { availableFrom: day(91) },
    { availableFrom: day(92) },
    { availableFrom: day(300) },
    { availableFrom: day(92), availableTo: day(93) },
    { availableFrom: sunday, availableTo: sunday },
    { availableFrom: day(5), availableTo: sunday },
    { availableTo: day(0) },
    { availableFrom: day(-30), availableTo: day(0) }
  ]
  for (const each of dates)
    for (const sort of ['next_slot', 'price', 'name'] as const) {
      const { statements, rows } = await search({ ...each, sort })
      expect([each, sort, { statements, rows }]).toEqual([each, sort, { statements: 1, rows: 0 }])
      expect((await searchDoctors(rig.sql, { ...each, sort }, now)).items).toEqual([])
    }
})

test('a day on which every doctor is away reaches no calendar either', async () => {
  const holiday = day(9)
  await run(
    rig.sql,
    SQL`insert into exceptions (id, doctor_id, kind, from_date, to_date, created_at)
        select gen_random_uuid(), id, 'closed', ${holiday}::date, ${holiday}::date + 1, now() from doctors`
  )
  expect((await search({ availableFrom: holiday, availableTo: holiday })).rows).toBe(0)
  expect((await search({ availableFrom: holiday, availableTo: day(11), sort: 'price' })).rows).toBeLessThan(100)
  await run(rig.sql, SQL`delete from exceptions`)
})

test('a cursor that nobody was given reads no more than the page that it asks for', async () => {
  const first = await search({})
  const cursors = [
    [Number.MAX_SAFE_INTEGER, LAST],
    [Number.MAX_SAFE_INTEGER, FIRST],
    [Number.MAX_SAFE_INTEGER - 1, FIRST],
    [Date.parse('2199-12-31T00:00:00Z'), LAST],
    [Date.parse('2027-03-30T00:00:00Z'), LAST],
    [Number.MIN_SAFE_INTEGER, FIRST],
    [0, LAST]
  ] as const
  for (const place of cursors) {
    const cost = await search({ cursor: cursorAt('next_slot', ...place) })
    expect([place, cost.rows <= 2 * first.rows, cost.pages <= 3 * first.pages]).toEqual([place, true, true])
  }
  for (const [sort, place] of [
    ['price', [2 ** 31 - 1, LAST]],
    ['price', [-1, FIRST]],
    ['name', ['zzz', LAST]],
    ['name', ['', FIRST]]
  ] as const)
    expect((await search({ sort, cursor: cursorAt(sort, ...place) })).rows).toBeLessThanOrEqual(first.rows)
})

test('each page costs what the first one does, down to the last, and the pages hold everybody once', async () => {
  const first = await search({ limit: 100 })
  const seen: string[] = []
  let cursor: string | undefined
  let [dearest, widest] = [0, 0]
  do {
    const at = cursor
    const cost = await search({ limit: 100, cursor: at })
    const page = await searchDoctors(rig.sql, { limit: 100, cursor: at }, now)
    ;[dearest, widest] = [Math.max(dearest, cost.rows), Math.max(widest, cost.pages)]
    seen.push(...page.items.map(({ id }) => id))
    cursor = page.nextCursor ?? undefined
  } while (cursor)
  expect(seen).toHaveLength(DOCTORS)
  expect(new Set(seen).size).toBe(DOCTORS)
  expect([dearest <= 4 * first.rows, widest <= 4 * first.pages]).toEqual([true, true])
}, 60_000)

test('what nobody fits is found out by the database alone', async () => {
  const code = specialties[0]?.code
  for (const wish of [{ maxPrice: 0 }, { q: 'nobody' }, { specialty: 'nothing' }, { specialty: code, maxPrice: 1, availableTo: day(5) }])
    expect([wish, (await search(wish)).rows]).toEqual([wish, 0])
  expect(await rows(rig.sql, SQL`select 1 from next_free where then_at is null`)).toEqual([])
})
