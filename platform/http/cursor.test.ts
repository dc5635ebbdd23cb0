import { expect, test } from 'bun:test'
import { cursorsOf } from './cursor.ts'
import { Problem } from './problem.ts'

const ID = '019b0d5e-3c4f-7a31-9f0e-2f6f1f0c9a11'
const bent = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const errorsOf = (work: () => unknown) => {
  try {
    return work()
  } catch (error) {
    return error instanceof Problem ? error.errors : error
  }
}
const refusal = [{ path: '/cursor', message: 'is not a cursor of this list' }]

test('a cursor comes back as it went', () => {
  const prices = cursorsOf('doctors by price', 'int4', 'uuid')
  expect(prices.decode(prices.encode([35000, ID]))).toEqual([35000, ID])
  const all = cursorsOf('all', 'text', 'instant', 'date', 'number', 'uuid')
  const position = ['Íris', '2027-01-05T11:00:00.123Z', '2027-01-05', Number.MAX_SAFE_INTEGER, ID] as const
  expect(all.decode(all.encode([...position]))).toEqual([...position])
})

test('a cursor of another list is none, whatever it holds', () => {
  const other = cursorsOf('doctors by name', 'int4', 'uuid').encode([1, ID])
  expect(errorsOf(() => cursorsOf('doctors by price', 'int4', 'uuid').decode(other))).toEqual(refusal)
})

test.each(['', 'x', '!', bent({}), bent(5), bent(null), bent([]), bent(['l']), bent([ID]), bent(['l', ID, ID]), '[', bent('l')])(
  '%s is no cursor',
  (cursor) => expect(errorsOf(() => cursorsOf('l', 'uuid').decode(cursor))).toEqual(refusal)
)

test.each<[Parameters<typeof cursorsOf>[1], unknown[]]>([
  ['uuid', ['-'.repeat(36), '0'.repeat(36), `{${ID}}`, ID.replaceAll('-', ''), 5, null, [ID]]],
  ['int4', [2147483648, -2147483648, 1.5, 1e308, '1', null, 2 ** 53]],
  ['number', [2 ** 53, 1.5, '1', null]],
  ['text', ['\0', '\ud800', 5, null, ['a']]],
  ['instant', ['0000-01-01T00:00:00Z', '2027-02-30T00:00:00Z', '+275760-09-13T00:00:00.000Z', '-000001-01-01T00:00:00Z', '2027-01-05', 5]],
  ['date', ['0000-01-01', '99999-12-31', '2027-02-30', '-000001-01-01', '+275760-09-13', '2027-01-05T00:00:00Z', '', 5, null]]
])('a part that is a %s is nothing else', (kind, values) => {
  for (const value of values) expect(errorsOf(() => cursorsOf('l', kind as 'uuid').decode(bent(['l', value])))).toEqual(refusal)
})
