import { afterAll, beforeAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { rows, run } from '#platform/data/db'
import type { Caller } from '#platform/identity/caller'
import { book } from '../appointments/book.ts'
import { expected, type Rig, startRig } from '../testing/testing.ts'

let rig: Rig
beforeAll(async () => {
  rig = await startRig()
})
afterAll(() => rig?.stop())

test('of claims that go together, one that cannot be made fails alone', async () => {
  const day = '2027-01-06'
  const doctors = await Promise.all(Array.from({ length: 6 }, () => rig.doctor()))
  const patients = await Promise.all(doctors.map(() => rig.patient()))
  const claims = doctors.map((doctor, nth) => {
    const { id, name } = patients[nth] as (typeof patients)[number]
    // a name that no column takes
    const caller = { id, name: nth === 2 ? 'a\0b' : name, role: 'patient', emailVerified: true, sid: '', expiresAt: 0 } as unknown as Caller
    const rules = { now: rig.now, limits: { perSpecialty: 9, inAll: 9 }, verification: 'optional' as const, client: null }
    return book(rig.sql, caller, { doctorId: doctor.id, start: `${day}T13:00:00Z` }, rules)
  })
  const outcomes = await Promise.allSettled(claims)
  expect(outcomes.map(({ status }) => status)).toEqual(doctors.map((_, nth) => (nth === 2 ? 'rejected' : 'fulfilled')))
})

test('of requests and holds that run out together, one that cannot end holds no other up', async () => {
  const [broken, fine] = [await rig.doctor(), await rig.doctor()]
  const start = '2027-01-07T13:00:00Z'
  for (const doctor of [broken, fine]) {
    await expected(201, rig.call('POST', '/v1/holds', { as: await rig.patient(), body: { doctorId: doctor.id, start } }))
    await expected(
      201,
      rig.call('POST', '/v1/waitlist', { as: await rig.patient(), body: { doctorId: doctor.id, from: '2027-01-07', to: '2027-01-07' } })
    )
  }
  await run(rig.sql, SQL`update doctors set timezone = 'No/Where' where id = ${broken.id}`)
  rig.pass({ minutes: 6 })
  await rig.expire()
  const status = async ({ id }: { id: string }) =>
    (await rows<{ status: string }>(rig.sql, SQL`select status from appointments where doctor_id = ${id} order by id`)).map(
      (row) => row.status
    )
  expect([await status(broken), await status(fine)]).toEqual([['held'], ['released', 'held']])
})
