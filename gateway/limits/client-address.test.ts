import { afterEach, expect, test } from 'bun:test'
import { type Echo, raw, replica, rig } from '../testing/testing.ts'

/* What a service hears of the address of a client, over sockets: the peer of all connections here is 127.0.0.1. */
const open: { stop: () => unknown }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.stop()
})

/** The address that a service is told of a call with these headers, through a gateway that trusts some. */
async function toldOf(trusted: string, headers: string): Promise<string | undefined> {
  const service = replica()
  const gateway = await rig(service.url, { trusted })
  open.push(service, gateway)
  const { text } = await raw(gateway.port, `GET /v1/doctors HTTP/1.1\r\nHost: localhost\r\n${headers}Connection: close\r\n\r\n`, 5_000)
  const echo = JSON.parse(text.slice(text.indexOf('\r\n\r\n'))) as Echo
  return echo.headers['x-forwarded-for']
}

const FORGED = 'X-Forwarded-For: 203.0.113.9\r\n'

test.each([
  ['nobody is trusted: the peer', 'none', FORGED, '127.0.0.1'],
  ['the peer is not one of those trusted: the peer', '10.0.0.0/8', FORGED, '127.0.0.1'],
  ['the peer is trusted: whom it names', '127.0.0.1', FORGED, '203.0.113.9'],
  ['the peer is trusted and names nobody: the peer', '127.0.0.0/8', '', '127.0.0.1'],
  [
    'a client forged the first of two: the one that the trusted hop added',
    '127.0.0.0/8',
    'X-Forwarded-For: 6.6.6.6, 192.0.2.7\r\n',
    '192.0.2.7'
  ],
  ['in two lines: the same', '127.0.0.0/8', 'X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 192.0.2.7\r\n', '192.0.2.7'],
  ['two trusted hops: the one before both', '127.0.0.0/8,10.0.0.0/8', 'X-Forwarded-For: 6.6.6.6, 192.0.2.7, 10.1.1.1\r\n', '192.0.2.7'],
  ['what is no address: the peer', '127.0.0.0/8', 'X-Forwarded-For: 6.6.6.6, <script>\r\n', '127.0.0.1'],
  [
    'every other header that says so: the peer',
    '127.0.0.0/8',
    'Forwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nTrue-Client-IP: 6.6.6.6\r\n',
    '127.0.0.1'
  ]
])('%s is the client', async (_, trusted, headers, client) => {
  expect(await toldOf(trusted, headers)).toBe(client)
})

test('of calls with a token a service hears the address where it limits by it, and else not', async () => {
  const service = replica()
  const gateway = await rig(service.url, { trusted: '127.0.0.0/8' })
  open.push(service, gateway)
  const authorization = await gateway.signer.bearer({ role: 'patient' })
  const heard = async (method: string, path: string) => {
    const headers = { authorization, 'x-forwarded-for': '203.0.113.9', 'content-type': 'application/json' }
    const answer = await fetch(gateway.url + path, { method, headers, ...(method === 'POST' && { body: '{}' }) })
    return ((await answer.json()) as Echo).headers['x-forwarded-for']
  }
  for (const path of ['/v1/holds', '/v1/appointments', '/v1/waitlist'])
    expect([path, await heard('POST', path)]).toEqual([path, '203.0.113.9'])
  for (const path of ['/v1/appointments', '/v1/waitlist']) expect([path, await heard('GET', path)]).toEqual([path, undefined])
})
