import { expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import { Problem } from './problem.ts'
import { dateOf, decodeCursor, encodeCursor, Instant, instantOf, instantText, LocalTime, zoneOf } from './schema.ts'

const codeOf = (work: () => unknown) => {
  try {
    return work()
  } catch (error) {
    return error instanceof Problem ? error.code : 'not a problem'
  }
}

test.each(['2027-01-05T11:00:00Z', '2027-01-05T11:00Z', '2027-01-05T11:00:00.123Z'])('%s is an instant', (value) => {
  expect(Value.Check(Instant, value)).toBe(true)
})

test.each(['2027-01-05', '2027-01-05 11:00:00Z', '2027-01-05T11:00:00', '2027-01-05T11:00:00-03:00', '1', ''])('%s is none', (value) => {
  expect(Value.Check(Instant, value)).toBe(false)
})

test('a day or an hour that does not exist is refused by name', () => {
  expect(codeOf(() => instantOf('2027-02-30T10:00:00Z', '/start'))).toBe('validation_failed')
  expect(codeOf(() => instantOf('2027-02-03T24:00:00Z', '/start'))).toBe('validation_failed')
  expect(codeOf(() => dateOf('2027-02-29', '/from'))).toBe('validation_failed')
  expect(dateOf('2028-02-29', '/from').toString()).toBe('2028-02-29')
})

test('a window may end at 24:00 and no later', () => {
  expect(['00:00', '23:59', '24:00', '24:01', '8:00', '08:60'].map((time) => Value.Check(LocalTime, time))).toEqual([
    true,
    true,
    true,
    false,
    false,
    false
  ])
})

test('zones are IANA names, links included, and never offsets', () => {
  expect(zoneOf('America/Sao_Paulo')).toBe('America/Sao_Paulo')
  expect(codeOf(() => zoneOf('UTC'))).toBe('UTC')
  for (const zone of ['+03:00', 'America/Nowhere', 'Brasilia', '../etc']) expect(codeOf(() => zoneOf(zone))).toBe('invalid_timezone')
})

test('an instant is written without a fraction that is zero', () => {
  expect(instantText(new Date('2027-01-05T11:00:00.000Z'))).toBe('2027-01-05T11:00:00Z')
  expect(instantText(new Date('2027-01-05T11:00:00.120Z'))).toBe('2027-01-05T11:00:00.12Z')
})

test('a cursor comes back as it went, and what is none is refused', () => {
  const isPair = (position: unknown[]): position is [string, number] => typeof position[0] === 'string' && typeof position[1] === 'number'
  expect(decodeCursor(encodeCursor(['a', 1]), isPair)).toEqual(['a', 1])
  for (const cursor of ['', 'x', encodeCursor([1, 'a']), btoa('{}')])
    expect(codeOf(() => decodeCursor(cursor, isPair))).toBe('validation_failed')
})
