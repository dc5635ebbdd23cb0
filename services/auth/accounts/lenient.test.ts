import { afterAll, beforeAll, expect, test } from 'bun:test'
import { Problem } from '#platform/http/problem'
import { type Rig, rigOf } from '../testing/testing.ts'
import { localeOf, normalPhone } from './contact.ts'
import { readCrm } from './crm.ts'

/* People write what they are used to; what is kept has one form. */

let rig: Rig
beforeAll(async () => {
  rig = await rigOf()
})
afterAll(() => rig?.stop())

test.each([
  ['(11) 98765-4321', '+5511987654321'],
  ['11987654321', '+5511987654321'],
  ['011 98765 4321', '+5511987654321'],
  ['11 3456-7890', '+551134567890'],
  ['(55) 99876-5432', '+5555998765432'],
  ['55 11 98765-4321', '+5511987654321'],
  ['+55 (11) 98765-4321', '+5511987654321'],
  ['0055 11 98765-4321', '+5511987654321'],
  ['+1 415 555 2671', '+14155552671'],
  ['（11）98765–4321', '+5511987654321']
])('the phone %s is kept as %s', (text, phone) => expect(normalPhone(text)).toBe(phone))

test.each(['987654321', '11 9876', '01 98765-4321', '11 68765-4321', '+0 123456789', '123', 'x', '11 98765-4321 ramal 5', ''])(
  '%s is no phone',
  (text) => expect(() => normalPhone(text)).toThrow(Problem)
)

test.each([
  ['123456-SP', '123456-SP'],
  ['123.456-SP', '123456-SP'],
  ['12.345-6/SP', '123456-SP'],
  ['CRM/SP 123.456', '123456-SP'],
  ['crm-sp 1.234.567', '1234567-SP'],
  ['1-RJ', '1-RJ'],
  ['1234567890-MG', '1234567890-MG'],
  ['0000000012-MG', '12-MG'],
  ['CRM 5265432-1 RJ', '52654321-RJ'],
  ['CRM: 123456 SP', '123456-SP']
])('the CRM %s is kept as %s', (text, crm) => expect(readCrm(text)).toBe(crm))

test.each(['12345678901-SP', '0-SP', '-SP', '123..456-SP', '.123-SP', '123456-XX', '123456', 'SP', `${'1-'.repeat(120)}SP`])(
  '%s is no CRM',
  (text) => expect(readCrm(text)).toBeUndefined()
)

test('a language tag selects the language that it names', () => {
  expect(['pt', 'pt-BR', 'pt-PT', 'PT_br', 'pt-Latn-BR'].map(localeOf)).toEqual(Array(5).fill('pt-BR'))
  expect(['en', 'en-US', 'EN-gb', 'en_AU'].map(localeOf)).toEqual(Array(4).fill('en'))
})

test('a registration and a change take them, and answer in the one form', async () => {
  const made = await rig.post('/v1/auth/doctors', rig.wish({ crm: '12.345-67/SP', phone: '(11) 98765-4321', locale: 'en-US' }))
  expect([made.status, made.body]).toEqual([201, expect.objectContaining({ crm: '1234567-SP', phone: '+5511987654321', locale: 'en' })])
  for (const locale of ['fr', 'english', 'p', 5, null, 'pt-', '']) {
    const refused = await rig.post('/v1/auth/patients', { ...rig.wish(), locale })
    expect([locale, refused.status, refused.body]).toEqual([locale, 422, expect.objectContaining({ code: 'validation_failed' })])
  }
})
