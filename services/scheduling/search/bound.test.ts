import { afterAll, beforeAll, expect, test } from 'bun:test'
import fc from 'fast-check'
import SQL from 'sql-template-strings'
import { rows, run } from '#platform/data/db'
import type { UserSnapshot } from '#platform/events/events'
import { type Body, expected, type Rig, startRig } from '../testing/testing.ts'
import { learn } from './search-by-next-slot.ts'

let rig: Rig
const doctors: UserSnapshot[] = []
let patients: UserSnapshot[] = []
beforeAll(async () => {
  rig = await startRig({ replicas: 2, limits: { perSpecialty: 1000, inAll: 1000 } })
  const hours = (start: string, end: string) => [1, 2, 3, 4, 5].map((weekday) => ({ weekday, start, end }))
  const practices = [
    { rules: hours('08:00', '10:00'), slotMinutes: 30 },
    { rules: hours('08:00', '09:00'), profile: { bufferMinutes: 15 } },
    { rules: hours('09:00', '11:00'), profile: { minNoticeMinutes: 1440, autoConfirm: true } },
    { rules: hours('20:00', '24:00'), profile: { timezone: 'Asia/Kathmandu', bookingWindowDays: 3 } },
    { rules: [], profile: { bookingWindowDays: 2 } },
    { rules: hours('08:00', '10:00'), profile: { timezone: 'America/New_York', bookingWindowDays: 1 } }
  ]
  for (const practice of practices) doctors.push(await rig.doctor(practice))
  patients = await Promise.all(Array.from({ length: 3 }, () => rig.patient()))
}, 60_000)
afterAll(() => rig?.stop())

/** What anybody may do, with numbers that choose whom and which. */
const deeds = {
  book: async (who: number, which: number) => {
    const doctor = pick(doctors, who)
    const start = pick(await listed(doctor), which)
    if (start) await rig.wish(pick(patients, which), doctor, start)
  },
  hold: async (who: number, which: number) => {
    const doctor = pick(doctors, who)
    const start = (await listed(doctor))[which % 3]
    if (start) await rig.call('POST', '/v1/holds', { as: pick(patients, which), body: { doctorId: doctor.id, start } })
  },
  cancel: async (who: number, which: number) => {
    const own = (await rig.call('GET', '/v1/appointments?limit=100', { as: pick(doctors, who) })).body.items
    const open = own.filter(({ status }) => status === 'requested' || status === 'confirmed')
    if (open.length > 0) await rig.act(pick(doctors, who), pick(open, which).id, 'cancel', { reason: 'x' })
  },
  move: async (who: number, which: number) => {
    const doctor = pick(doctors, who)
    const [open] = (await rig.call('GET', '/v1/appointments?status=confirmed', { as: doctor })).body.items
    const start = pick(await listed(doctor), which)
    if (open && start) await rig.act(doctor, open.id, 'reschedule', { start })
  },
  expire: async () => void (await rig.expire()),
  pass: async (who: number, which: number) => rig.pass({ minutes: [1, 5, 30, 60, 600][(who + which) % 5] ?? 1 }),
  close: async (who: number, which: number) => {
    const day = rig.now
      .add({ hours: 24 * (which % 4) })
      .toString()
      .slice(0, 10)
    await rig.call('POST', '/v1/doctors/me/exceptions', {
      as: pick(doctors, who),
      body: { kind: which % 2 ? 'closed' : 'open', from: day, to: day }
    })
  },
  reopen: async (who: number, which: number) => {
    const { items } = (await rig.call('GET', '/v1/doctors/me/exceptions', { as: pick(doctors, who) })).body
    if (items.length > 0) await rig.call('DELETE', `/v1/doctors/me/exceptions/${pick(items, which).id}`, { as: pick(doctors, who) })
  },
  publish: async (who: number, which: number) => {
    const rules = [1, 2, 3, 4, 5].slice(which % 4).map((weekday) => ({ weekday, start: `0${which % 10}:00`, end: '11:00' }))
    await rig.call('PUT', '/v1/doctors/me/schedule', { as: pick(doctors, who), body: { slotMinutes: 30, rules } })
  }
}
const pick = <T>(list: T[], index: number): T => list[index % list.length] as T
const listed = (doctor: UserSnapshot) =>
  rig.slotsOf(
    doctor,
    `?from=${rig.now.toString().slice(0, 10)}&to=${rig.now
      .add({ hours: 24 * 5 })
      .toString()
      .slice(0, 10)}`
  )

/** The 60 days from yesterday on, as a query. */
const days = () =>
  `?from=${rig.now.subtract({ hours: 24 }).toString().slice(0, 10)}&to=${rig.now
    .add({ hours: 24 * 58 })
    .toString()
    .slice(0, 10)}`

/** The next slot of each by their own listings alone, which read no bound. */
async function bySlots(): Promise<[string, string | null][]> {
  const found = await Promise.all(
    doctors.map(async (doctor): Promise<[string, string | null]> => [doctor.id, (await rig.slotsOf(doctor, days()))[0] ?? null])
  )
  return found.sort(([a, start], [b, other]) =>
    (start ?? '9') < (other ?? '9') ? -1 : (start ?? '9') > (other ?? '9') ? 1 : a < b ? -1 : 1
  )
}

async function byPages(): Promise<Body[]> {
  const items: Body[] = []
  let cursor = ''
  do {
    const { body } = await expected(
      200,
      rig.call('GET', `/v1/doctors?limit=2${cursor && `&cursor=${cursor}`}`, { replica: items.length % 2 })
    )
    items.push(...body.items)
    cursor = body.nextCursor ?? ''
  } while (cursor)
  return items
}

test('whatever is booked, held, freed, moved, closed, opened or has passed, the search knows each next slot and its order', async () => {
  const words = Object.keys(deeds) as (keyof typeof deeds)[]
  const steps = fc.array(fc.tuple(fc.constantFrom(...words), fc.nat(50), fc.nat(50)), { minLength: 5, maxLength: 15 })
  await fc.assert(
    fc.asyncProperty(steps, async (chosen) => {
      for (const [word, who, which] of chosen) {
        await deeds[word](who, which)
        const wanted = await bySlots()
        const found = await byPages()
        expect([word, ...found.map(({ id, nextSlot }) => `${id} ${nextSlot}`)]).toEqual([
          word,
          ...wanted.map(([id, start]) => `${id} ${start}`)
        ])
        const bounds = await rows<{ doctorId: string; at: Date }>(rig.sql, SQL`select doctor_id, at from next_free`)
        for (const [id, start] of wanted) {
          const bound = bounds.find(({ doctorId }) => doctorId === id)?.at.getTime() ?? Number.NaN
          expect(start === null || bound <= Date.parse(start)).toBe(true)
        }
        const { items } = (await rig.call('GET', '/v1/slots?specialty=cardiologia&limit=1')).body
        expect(items[0]?.start ?? null).toBe(wanted[0]?.[1] ?? null)
      }
    }),
    { numRuns: 15 }
  )
}, 120_000)

test('of many doctors the pages in each order are those of the naive answer, with bounds unknown, and with bounds known', async () => {
  await run(
    rig.sql,
    SQL`insert into doctors (id, name, name_folded, crm, approval, specialties, price_amount, price_currency, slot_minutes, rules, min_notice_minutes)
        select gen_random_uuid(), 'Dr. ' || i, 'dr. ' || i, i || '-SP', 'approved', array['urologia'], (i * 37) % 11 * 1000, 'BRL', 30,
               jsonb_build_array(jsonb_build_object('weekday', 1 + i % 5, 'start', to_char(6 + i % 7, 'FM00') || ':00', 'end', '14:00')), i % 3 * 60
          from generate_series(1, 150) i`
  )
  const all = (await rig.call('GET', '/v1/doctors?specialty=urologia&limit=100&sort=price')).body
  const rest = (await rig.call('GET', `/v1/doctors?specialty=urologia&limit=100&sort=price&cursor=${all.nextCursor}`)).body
  const everyone = [...all.items, ...rest.items]
  expect(new Set(everyone.map(({ id }) => id)).size).toBe(150)
  const byNext = [...everyone].sort((a, b) =>
    (a.nextSlot ?? '9') < (b.nextSlot ?? '9') ? -1 : (a.nextSlot ?? '9') > (b.nextSlot ?? '9') ? 1 : a.id < b.id ? -1 : 1
  )
  const pages = async (query: string) => {
    const seen: string[] = []
    let cursor = ''
    do {
      const { body } = await expected(
        200,
        rig.call('GET', `/v1/doctors?specialty=urologia&limit=7${query}${cursor && `&cursor=${cursor}`}`)
      )
      seen.push(...body.items.map(({ id }) => id))
      cursor = body.nextCursor ?? ''
    } while (cursor)
    return seen
  }
  await run(rig.sql, SQL`update next_free set at = 'epoch'`)
  for (let round = 0; round < 2; round++) expect(await pages('')).toEqual(byNext.map(({ id }) => id))
  while ((await learn(rig.sql, rig.now.epochMilliseconds)) > 0);
  expect(await pages('')).toEqual(byNext.map(({ id }) => id))
  expect(
    await rows(rig.sql, SQL`select 1 from next_free n join doctors d on d.id = n.doctor_id where d.listed and n.then_at is null`)
  ).toEqual([])
  expect(await pages('&sort=name')).toHaveLength(150)
  const first = (await rig.call('GET', '/v1/slots?specialty=urologia&limit=100')).body.items
  const naive = (
    await Promise.all(everyone.map(async ({ id }) => (await rig.slotsOf({ id }, days())).map((start) => `${start} ${id}`)))
  ).flat()
  expect(first.map(({ start, doctor }) => `${start} ${doctor.id}`)).toEqual(naive.sort().slice(0, 100))
}, 60_000)
