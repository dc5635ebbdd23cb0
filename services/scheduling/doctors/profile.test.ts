import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { UserSnapshot } from '#platform/events/events'
import { type Rig, startRig } from '../testing/testing.ts'

let rig: Rig
let doctor: UserSnapshot
beforeAll(async () => {
  rig = await startRig()
  doctor = await rig.doctor()
})
afterAll(() => rig?.stop())

type Refusal = { code?: string; errors?: { path: string }[] }
const put = async (changes: object) => {
  const body = { specialties: ['cardiologia'], price: { amount: 35000, currency: 'BRL' }, timezone: 'America/Sao_Paulo', ...changes }
  const answer = await rig.call('PUT', '/v1/doctors/me/profile', { as: doctor, body })
  const { errors } = answer.body as unknown as Refusal
  return [answer.status, ...(errors ?? []).map(({ path }) => path)]
}

test('a currency must exist', async () => {
  for (const currency of ['BRL', 'EUR', 'USD', 'JPY']) expect(await put({ price: { amount: 100, currency } })).toEqual([200])
  for (const currency of ['ZZZ', 'ABC', 'QQQ']) expect(await put({ price: { amount: 100, currency } })).toEqual([422, '/price/currency'])
})

test('a price fits its column', async () => {
  expect(await put({ price: { amount: 100_000_000, currency: 'BRL' } })).toEqual([200])
  for (const amount of [100_000_001, 2_147_483_648, -1, 1.5, 2 ** 53])
    expect(await put({ price: { amount, currency: 'BRL' } })).toEqual([422, '/price/amount'])
})

test('the notice is not longer than the booking window, whichever of them is said', async () => {
  expect(await put({ minNoticeMinutes: 1_440, bookingWindowDays: 1 })).toEqual([200])
  expect(await put({ minNoticeMinutes: 43_200 })).toEqual([200])
  expect(await put({ bookingWindowDays: 1 })).toEqual([200])
  for (const [minNoticeMinutes, bookingWindowDays] of [
    [1_441, 1],
    [43_200, 29]
  ])
    expect(await put({ minNoticeMinutes, bookingWindowDays })).toEqual([422, '/minNoticeMinutes'])
})
