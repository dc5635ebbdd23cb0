import { invalid } from '#platform/http/schema'
import { hasLink, isName } from '#platform/http/text'

/** An address as it is kept and compared: NFC, without blanks around it, in lower case. Throws `validation_failed`. */
export function normalEmail(text: string): string {
  const email = text.normalize('NFC').trim().toLowerCase()
  if (email.length > 254 || !form.test(email) || email.indexOf('@') > 64) throw invalid('/email', 'must be an e-mail address')
  return email
}

// what mail servers accept in practice: a dot-atom local part (letters of any script) and a domain name with a dot
const form =
  /^[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~-]+(\.[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~-]+)*@([\p{L}\p{N}]([\p{L}\p{M}\p{N}-]{0,61}[\p{L}\p{N}])?\.)+[\p{L}]([\p{L}\p{M}\p{N}-]{0,61}[\p{L}\p{N}])$/u

/**
 * A number in E.164 (`+5511987654321`); what people put between the digits is dropped. A number without country code is a Brazilian one: area code and
 * eight or nine digits, also with the zero of a call from another area. Throws `validation_failed`.
 */
export function normalPhone(text: string): string {
  const digits = text.normalize('NFKC').replace(/[\s().\u2010-\u2015-]/g, '')
  const [, national] = brazilian.exec(digits) ?? []
  const phone = national ? `+55${national}` : digits.replace(/^00/, '+')
  if (!/^\+[1-9]\d{7,14}$/.test(phone)) throw invalid('/phone', 'must be a number such as (11) 98765-4321 or +55 11 98765-4321')
  return phone
}

/** Area codes have no zero; mobile numbers have nine digits and begin with 9, others eight and begin with 2 to 5. */
const brazilian = /^(?:55|0)?([1-9][1-9](?:9\d{8}|[2-5]\d{7}))$/

/** The language that a tag names, of those that mails are written in: `pt`, `pt-PT` and `en-US` name one, too. */
export const localeOf = (tag: string): 'pt-BR' | 'en' => (tag.trim().toLowerCase().startsWith('pt') ? 'pt-BR' : 'en')

/** A name in NFC with single blanks; see `isName` for what it may not hold. Throws `validation_failed`. */
export function normalName(text: string): string {
  const name = text.normalize('NFC').trim().replace(/\s+/gu, ' ')
  if (hasLink(name)) throw invalid('/name', 'must not contain a link or an address')
  if (!isName(name)) throw invalid('/name', 'must have a letter, and no invisible characters or angle brackets')
  return name
}
