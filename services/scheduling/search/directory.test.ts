import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { UserSnapshot } from '#platform/events/events'
import { everyDay, expected, outcome, type Rig, startRig } from '../testing/testing.ts'

let rig: Rig
let iris: UserSnapshot
let ana: UserSnapshot
let joao: UserSnapshot
let never: UserSnapshot
beforeAll(async () => {
  rig = await startRig()
  const priced = (amount: number, ...specialties: string[]) => ({ price: { amount, currency: 'BRL' }, specialties })
  iris = await rig.doctor({
    user: { name: 'Dra. Íris Conceição' },
    profile: priced(35000, 'cardiologia'),
    rules: everyDay('10:00', '12:00')
  })
  ana = await rig.doctor({
    user: { name: 'Ana D’Ávila 100%' },
    profile: priced(20000, 'dermatologia', 'cardiologia'),
    rules: everyDay('15:00', '17:00')
  })
  joao = await rig.doctor({ user: { name: 'João Brandão' }, profile: priced(50000, 'dermatologia'), rules: everyDay('11:00', '12:00') })
  never = await rig.doctor({ user: { name: 'Nádia Nunes' }, profile: priced(10000, 'cardiologia'), rules: [] })
})
afterAll(() => rig?.stop())

const find = (query = '') => rig.call('GET', `/v1/doctors${query}`)
const names = async (query = '') =>
  (await expected(200, find(query))).body.items
    .map(({ id }) => [iris, ana, joao, never].findIndex((d) => d.id === id))
    .map((i) => ['iris', 'ana', 'joao', 'never'][i])

test('doctors come by their next free slot, those without one last; or by price, or by name', async () => {
  expect(await names()).toEqual(['iris', 'joao', 'ana', 'never'])
  expect(await names('?sort=next_slot')).toEqual(['iris', 'joao', 'ana', 'never'])
  expect(await names('?sort=price')).toEqual(['never', 'ana', 'iris', 'joao'])
  expect(await names('?sort=name')).toEqual(['ana', 'iris', 'joao', 'never'])
})

test('a doctor is shown with what a patient wants to know, the next free slot among it, and with nothing more', async () => {
  const { body } = await find('?q=iris')
  expect(body.items as unknown).toEqual([
    {
      id: iris.id,
      name: 'Dra. Íris Conceição',
      crm: '123456-SP',
      specialties: ['cardiologia'],
      price: { amount: 35000, currency: 'BRL' },
      timezone: 'America/Sao_Paulo',
      slotMinutes: 60,
      nextSlot: '2027-01-04T13:00:00Z'
    }
  ])
  expect((await rig.call('GET', `/v1/doctors/${iris.id}`)).body as unknown).toEqual(body.items[0])
})

test('text is found without accents and in any case, and what means something to SQL means nothing', async () => {
  for (const q of ['iris', 'ÍRIS', 'conceicao', 'dra conc', 'Dra. Íris'])
    expect([q, await names(`?q=${encodeURIComponent(q)}`)]).toEqual([q, ['iris']])
  expect(await names('?q=100%25')).toEqual(['ana'])
  for (const q of ['%', '_', '\\', "'", 'zzz'])
    expect([q, await names(`?q=${encodeURIComponent(q)}`)]).toEqual([q, q === '%' ? ['ana'] : []])
})

test('specialty, price and dates choose, together', async () => {
  expect(await names('?specialty=cardiologia')).toEqual(['iris', 'ana', 'never'])
  expect(await names('?specialty=cardiologia&maxPrice=35000&sort=price')).toEqual(['never', 'ana', 'iris'])
  expect(await names('?maxPrice=34999')).toEqual(['ana', 'never'])
  expect(await names('?specialty=nothing')).toEqual([])
  expect(await names('?availableFrom=2027-01-05&availableTo=2027-01-06')).toEqual(['iris', 'joao', 'ana'])
  expect(await names('?availableTo=2027-01-03')).toEqual([])
  expect(await names('?availableFrom=2027-12-01')).toEqual([])
})

test('the next slot follows what is booked, and what is cancelled', async () => {
  const patient = await rig.patient()
  const next = async () => (await rig.call('GET', `/v1/doctors/${joao.id}`)).body.nextSlot
  expect(await next()).toBe('2027-01-04T14:00:00Z')
  const { id } = (await expected(201, rig.wish(patient, joao, '2027-01-04T14:00:00Z'))).body
  expect(await next()).toBe('2027-01-05T14:00:00Z')
  expect(await names()).toEqual(['iris', 'ana', 'joao', 'never'])
  await expected(200, rig.act(patient, id, 'cancel', { reason: 'x' }))
  expect(await next()).toBe('2027-01-04T14:00:00Z')
})

test('pages follow each other without a gap or a repeat in every order', async () => {
  for (const sort of ['next_slot', 'price', 'name']) {
    const seen: string[] = []
    let cursor = ''
    do {
      const page: Awaited<ReturnType<typeof find>> = await expected(200, find(`?sort=${sort}&limit=1${cursor && `&cursor=${cursor}`}`))
      seen.push(...page.body.items.map(({ id }) => id))
      cursor = page.body.nextCursor ?? ''
    } while (cursor)
    expect(seen).toEqual((await find(`?sort=${sort}`)).body.items.map(({ id }) => id))
    expect(seen).toHaveLength(4)
  }
})

test('a question that makes no sense is refused with its field', async () => {
  for (const [query, word] of [
    ['?sort=best', '422 validation_failed'],
    ['?maxPrice=-1', '422 validation_failed'],
    ['?availableFrom=2027-02-30', '422 validation_failed'],
    ['?availableFrom=2027-01-06&availableTo=2027-01-05', '422 validation_failed'],
    ['?availableFrom=2027-01-01&availableTo=2027-03-04', '422 range_too_long'],
    ['?cursor=x', '422 validation_failed'],
    ['?limit=0', '422 validation_failed']
  ])
    expect([query, outcome(await find(query))]).toEqual([query ?? '', word ?? ''])
})

test('there are 55 specialties, each with a code of its own and both names', async () => {
  const { items } = (await rig.call<{ items: { code: string; namePt: string; nameEn: string }[] }>('GET', '/v1/specialties')).body
  expect(new Set(items.map(({ code }) => code)).size).toBe(55)
  for (const { code, namePt, nameEn } of items)
    expect([code, namePt.length > 3, nameEn.length > 3]).toEqual([code.replace(/[^a-z_]/g, ''), true, true])
})
