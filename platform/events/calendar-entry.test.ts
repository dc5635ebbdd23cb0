import { expect, test } from 'bun:test'
import { mailboxOf, mailtoAddress, sequenceOf } from './calendar-entry.ts'

test('an international domain is written in Punycode, and a local part beyond ASCII is percent-encoded', () => {
  expect(mailtoAddress('ana@example.com')).toBe('ana@example.com')
  expect(mailtoAddress('ana@clínica.com.br')).toBe('ana@xn--clnica-4va.com.br')
  expect(mailtoAddress('joão@почта.рф')).toBe('jo%C3%A3o@xn--80a1acny.xn--p1ai')
})

test('what no mail tells does not raise the number of an entry', () => {
  const versions = ['requested', 'confirmed', 'cancelled', 'declined', 'expired', 'completed', 'no_show'] as const
  expect(versions.map((status) => sequenceOf({ version: 3, status }))).toEqual([3, 3, 3, 3, 3, 2, 2])
})

test('a mailbox is read with a name and without', () => {
  expect(mailboxOf('Clínica <a@b.example>')).toEqual({ name: 'Clínica', address: 'a@b.example' })
  expect(mailboxOf('a@b.example')).toEqual({ name: '', address: 'a@b.example' })
})
