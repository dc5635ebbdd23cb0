import { expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import { Problem } from './problem.ts'
import { dateOf, Instant, instantOf, instantText, LocalTime, zoneOf } from './schema.ts'

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

test.each([
  '2027-01-05',
  '2027-01-05 11:00:00Z',
  '2027-01-05T11:00:00',
  '2027-01-05T11:00:00-3',
  '2027-01-05T11:00:00.1234567891Z',
  '+002027-01-05T11:00:00Z',
  '1',
  ''
])('%s is none', (value) => {
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

test.each([
  ['2027-01-05T11:00:00-03:00', '2027-01-05T14:00:00Z'],
  ['2027-01-05t11:00:00z', '2027-01-05T11:00:00Z'],
  ['2027-01-05T11:00:00.123456789Z', '2027-01-05T11:00:00.123456789Z'],
  ['2027-01-05T11:00:00+00:00', '2027-01-05T11:00:00Z'],
  ['2027-01-05T11:00:00-00:00', '2027-01-05T11:00:00Z'],
  ['2027-01-05T23:30+05:30', '2027-01-05T18:00:00Z'],
  ['1900-01-01T00:00:00Z', '1900-01-01T00:00:00Z'],
  ['2200-12-31T23:59:59Z', '2200-12-31T23:59:59Z']
])('%s is the instant %s', (value, instant) => {
  expect(Value.Check(Instant, value)).toBe(true)
  expect(instantOf(value, '/start').toString()).toBe(instant)
})

test('years outside of 1900 to 2200 are refused with their path, by date and by instant', () => {
  const pathOf = (work: () => unknown) => {
    try {
      return work()
    } catch (error) {
      return error instanceof Problem && error.errors?.[0]?.path
    }
  }
  for (const date of ['0000-01-01', '0001-01-01', '1899-12-31', '2201-01-01', '9999-12-31']) {
    expect(pathOf(() => dateOf(date, '/from'))).toBe('/from')
    expect(pathOf(() => instantOf(`${date}T00:00:00Z`, '/start'))).toBe('/start')
  }
  for (const start of ['1900-01-01T00:00:00+00:01', '2200-12-31T23:59:59-00:01'])
    expect(pathOf(() => instantOf(start, '/start'))).toBe('/start')
})
