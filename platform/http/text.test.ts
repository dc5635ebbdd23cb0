import { expect, test } from 'bun:test'
import { hasLink, isName, isPlainText, oneLine } from './text.ts'

test.each([
  'Ana Conceição',
  'Dr. Ana',
  'Dra.Ana Lima',
  'Dr.Paulo',
  'J. P. da Silva',
  'J.P. da Silva',
  'J.R.R. Tolkien',
  'Ana Jr.',
  'Ana Lima, M.Sc.',
  'Ana Lima Ph.D.',
  'Sant’Anna d’Ávila-Luz',
  'Gal·la Pérez',
  'GAL·LA',
  'マリア・シルバ',
  '迪丽热巴·迪力木拉提',
  '王小明',
  'Олег Иванов',
  'علي رضا',
  'María José Nº 2'
])('%s is a name', (name) => {
  expect(isName(name)).toBe(true)
})

test.each([
  'Ganhe R$ 500 em https://golpe.example/x',
  'http://golpe.com',
  'hxxp://golpe[.]x',
  'hxxps: golpe',
  'ftp://x',
  'x:/ /y Ana',
  'www.golpe',
  'WWW . golpe',
  'www2.golpe',
  'Ana golpe.com',
  'Ana golpe.com.',
  'Ana (golpe.com.br)',
  'bit.ly/abc',
  'Ana@golpe.com',
  'GOLPE.COM',
  'golpe．com',
  'golpe。com',
  'golpe｡com',
  'golpe․com',
  'golpe·com',
  'golpe‧com',
  'golpe・com',
  'golpeꓸcom',
  'golpe۔com',
  'golpe[.]com',
  'golpe(.)com',
  'ｇｏｌｐｅ．ｃｏｍ',
  'https：／／golpe',
  'Ana golpe.example',
  'golpe.рф',
  'golpe.xn--p1ai',
  'golpe.test',
  'a.b.com.Silva',
  'Ana 192.168.0.1'
])('%s has a link', (name) => {
  expect(hasLink(name)).toBe(true)
  expect(isName(name)).toBe(false)
})

const hidden = {
  'right-to-left override': '\u202e',
  isolate: '\u2066',
  'right-to-left mark': '\u200f',
  'Arabic letter mark': '\u061c',
  'zero-width space': '\u200b',
  'zero-width joiner': '\u200d',
  'zero-width non-joiner': '\u200c',
  'word joiner': '\u2060',
  'byte order mark': '\ufeff',
  'soft hyphen': '\u00ad',
  'grapheme joiner': '\u034f',
  'Hangul filler': '\u3164',
  'line separator': '\u2028',
  'language tag': '\u{e0041}',
  'variation selector': '\ufe01',
  bell: '\u0007',
  escape: '\u001b',
  'next line': '\u0085'
}
test.each(Object.entries(hidden))('a %s stands in no name and no text, and in no line of a mail', (_, mark) => {
  expect(isName(`Ana${mark}Lima`)).toBe(false)
  expect(isPlainText(`Ana${mark}Lima`)).toBe(false)
  expect(oneLine(`Ana${mark}Lima`)).toMatch(/^Ana ?Lima$/)
})

test('text may have lines, tabs and joined emoji; a name has none of them', () => {
  for (const text of ['Vou viajar.\r\nDesculpe!\n\tAna', '👩‍⚕️ 🏳️‍🌈 👩🏽‍⚕️ 1️⃣ ❤️', 'ação “x” — 100 %', 'नमस्ते'])
    expect(isPlainText(text)).toBe(true)
  for (const name of ['Ana\nLima', 'Ana\tLima', '👩‍⚕️', '', ' ', '...', '123', 'Ana <x>']) expect(isName(name)).toBe(false)
})

test('one line keeps what people see and nothing that breaks it', () => {
  expect(oneLine(' Vou\r\nviajar\u2028\u2029 \u202eamanhã\u202c  👩‍⚕️ é ❤️ ')).toBe('Vou viajar amanhã 👩‍⚕️ é ❤️')
})
