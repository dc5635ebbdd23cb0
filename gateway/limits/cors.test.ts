import { expect, test } from 'bun:test'
import { corsOf, withCors } from './cors.ts'

const headersFor = (setting: string, origin?: string) => {
  const headers: Record<string, string> = {}
  withCors(corsOf(setting), new Request('http://localhost/v1/doctors', { headers: origin === undefined ? {} : { origin } }), headers)
  return headers
}
const list = 'https://app.example, https://other.example'

test.each([
  'https://evil.example',
  'null',
  'https://app.example.evil',
  'http://app.example',
  'https://APP.example',
  'https://app.example:444',
  ''
])('the origin %p is never reflected, whatever is allowed', (origin) => {
  expect(headersFor('none', origin)).toEqual({})
  expect(headersFor('*', origin)['access-control-allow-origin']).toBe('*')
  expect(headersFor(list, origin)).toEqual({ vary: 'Origin' })
})

test('a listed origin is named, an answer that depends on the origin varies by it, and credentials are never allowed', () => {
  expect(headersFor(list, 'https://other.example')).toMatchObject({
    'access-control-allow-origin': 'https://other.example',
    vary: 'Origin'
  })
  for (const setting of ['none', '*', list])
    for (const origin of ['https://app.example', 'https://evil.example'])
      expect(Object.keys(headersFor(setting, origin))).not.toContain('access-control-allow-credentials')
})
