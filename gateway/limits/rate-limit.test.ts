import { afterAll, beforeAll, expect, test } from 'bun:test'
import { networkOf } from '#platform/http/client-address'
import { problemOf, type Replica, type Rig, replica, rig } from '../testing/testing.ts'
import { clientsBehind } from './client-address.ts'
import { quotas } from './rate-limit.ts'

let service: Replica
let gateway: Rig
beforeAll(async () => {
  service = replica()
  gateway = await rig(service.url, { trusted: '127.0.0.0/8', quotas: { ...quotas, general: 5, anonymous: 4, login: 2 } })
})
afterAll(async () => {
  await gateway.stop()
  await service.stop()
})

const from = (address: string, path = '/v1/doctors', init: RequestInit = {}) =>
  fetch(gateway.url + path, { ...init, headers: { ...(init.headers as Record<string, string>), 'x-forwarded-for': address } })

test('an address without a token has its quota, is told what is left, and then 429 with the time to wait', async () => {
  const left: (string | null)[] = []
  for (let n = 0; n < 4; n++) left.push((await from('192.0.2.1')).headers.get('ratelimit'))
  expect(left.map((line) => line?.replace(/t=\d+/, 't'))).toEqual([3, 2, 1, 0].map((n) => `"anonymous";r=${n};t`))
  const refused = await from('192.0.2.1')
  expect([refused.status, (await problemOf(refused)).code]).toEqual([429, 'rate_limited'])
  expect(Number(refused.headers.get('retry-after'))).toBeWithin(1, 61)
  expect(refused.headers.get('ratelimit-policy')).toBe('"anonymous";q=4;w=60')
  expect(refused.headers.get('ratelimit')).toMatch(/^"anonymous";r=0;t=\d+$/)
  expect((await from('192.0.2.2')).status).toBe(200)
})

test('a person has a quota of their own, from any address; one with another token is not hindered', async () => {
  const [ana, bia] = [await gateway.signer.bearer({ role: 'patient' }), await gateway.signer.bearer({ role: 'patient' })]
  const statuses: number[] = []
  for (let n = 0; n < 6; n++) statuses.push((await from(`192.0.2.${10 + n}`, '/v1/waitlist', { headers: { authorization: ana } })).status)
  expect(statuses).toEqual([200, 200, 200, 200, 200, 429])
  expect((await from('192.0.2.10', '/v1/waitlist', { headers: { authorization: bia } })).status).toBe(200)
})

test('log-in has a tighter one of its own', async () => {
  const login = () => from('192.0.2.50', '/v1/auth/login', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })
  const answers = [await login(), await login(), await login()]
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 429])
  expect(answers.map(({ headers }) => headers.get('ratelimit-policy'))).toEqual(Array(3).fill('"login";q=2;w=60'))
  expect((await from('192.0.2.50')).status).toBe(200)
})

test('a call that makes a service read much counts for more, and the headers tell the truth of it', async () => {
  const busy = await rig(service.url, { trusted: '127.0.0.0/8', quotas: { ...quotas, anonymous: 12, general: 25 } })
  const ask = (address: string, path: string, headers: Record<string, string> = {}) =>
    fetch(busy.url + path, { headers: { 'x-forwarded-for': address, ...headers } })
  const left = async (answer: Promise<Response>) => [(await answer).status, (await answer).headers.get('ratelimit')?.replace(/t=\d+/, 't')]
  const dear = ['?availableTo=2020-01-01', '?sort=price&availableFrom=2027-01-01', '?%61vailableFrom=2027-01-01', '?q=a&availableTo=']
  for (const [nth, query] of dear.entries()) {
    const address = `192.0.2.${80 + nth}`
    expect(await left(ask(address, `/v1/doctors${query}`))).toEqual([200, '"anonymous";r=7;t'])
    expect(await left(ask(address, '/v1/doctors?q=ana&sort=name'))).toEqual([200, '"anonymous";r=6;t'])
    expect(await left(ask(address, '/v1/slots?specialty=urologia'))).toEqual([200, '"anonymous";r=1;t'])
    const refused = await ask(address, `/v1/doctors${query}`)
    expect([refused.status, refused.headers.get('ratelimit')?.replace(/t=\d+/, 't')]).toEqual([429, '"anonymous";r=0;t'])
    expect(refused.headers.get('ratelimit-policy')).toBe('"anonymous";q=12;w=60')
    expect(Number(refused.headers.get('retry-after'))).toBeWithin(1, 61)
  }
  const authorization = await busy.signer.bearer({ role: 'patient' })
  expect(await left(ask('192.0.2.99', '/v1/auth/me/export', { authorization }))).toEqual([200, '"general";r=5;t'])
  expect((await left(ask('192.0.2.99', '/v1/auth/me/export', { authorization })))[0]).toBe(429)
  await busy.stop()
})

test('bad tokens and unknown paths count against the address too', async () => {
  const statuses: number[] = []
  for (const path of ['/v1/waitlist', '/v1/nowhere', '/v1/waitlist', '/v1/waitlist', '/v1/waitlist'])
    statuses.push((await from('192.0.2.70', path, { headers: { authorization: 'Bearer a.b.c' } })).status)
  expect(statuses).toEqual([401, 404, 401, 401, 429])
})

test('pages count as calls without a token do, and the health does not', async () => {
  const statuses: number[] = []
  for (const path of ['/problems', '/assets/page.css', '/docs', '/problems', '/assets/page.css', '/nowhere'])
    statuses.push((await from('192.0.2.60', path)).status)
  expect(statuses).toEqual([200, 200, 200, 200, 429, 429])
  expect((await problemOf(await from('192.0.2.60', '/docs'))).code).toBe('rate_limited')
  expect((await from('192.0.2.60', '/health')).status).not.toBe(429)
})

test('without limits nothing is counted and nothing told', async () => {
  const free = await rig(service.url)
  const answers = await Promise.all(Array.from({ length: 100 }, () => fetch(`${free.url}/v1/doctors`)))
  expect(answers.every(({ status, headers }) => status === 200 && !headers.has('ratelimit'))).toBe(true)
  await free.stop()
})

test('the quotas leave room for a clinic behind one address', () => {
  expect(quotas.register).toBeGreaterThanOrEqual(60)
  expect(quotas.login).toBeGreaterThanOrEqual(60)
})

test('addresses of one IPv6 network count as one', () => {
  expect(networkOf('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2::/64')
  expect(networkOf('2001:db8::1')).toBe('2001:db8:0:0::/64')
  expect(networkOf('::1')).toBe('0:0:0:0::/64')
  expect(networkOf('192.0.2.1')).toBe('192.0.2.1')
  for (const spelling of ['2001:db8:9:9::1', '2001:DB8:9:9:0::1', '2001:0db8:0009:0009:0000:0000:0000:0001'])
    expect([spelling, networkOf(spelling)]).toEqual([spelling, '2001:db8:9:9::/64'])
})

test.each([
  ['none', '192.0.2.1', '6.6.6.6', '192.0.2.1'],
  ['10.0.0.0/8', '192.0.2.1', '6.6.6.6', '192.0.2.1'],
  ['10.0.0.0/8', '10.0.0.5', '6.6.6.6, 192.0.2.9', '192.0.2.9'],
  ['10.0.0.0/8', '::ffff:10.0.0.5', '6.6.6.6, 192.0.2.9, 10.1.1.1', '192.0.2.9'],
  ['10.0.0.0/8', '10.0.0.5', null, '10.0.0.5'],
  ['10.0.0.0/8', '10.0.0.5', 'unknown', '10.0.0.5'],
  ['10.0.0.0/8,fd00::/8', 'fd00::1', '2001:db8::7', '2001:db8::7']
])('trusting %s, a call from %s that says %p is of %s', (trusted, peer, forwarded, client) => {
  expect(clientsBehind(trusted)(peer, forwarded)).toBe(client)
})

test('a range that is none is refused at the start', () => {
  expect(() => clientsBehind('10.0.0.0/8,nonsense')).toThrow('nonsense')
})
