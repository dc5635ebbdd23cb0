import { invalid } from '#platform/schema'

/** An address as it is kept and compared: NFC, without blanks around it, in lower case. Throws `validation_failed`. */
export function normalEmail(text: string): string {
  const email = text.normalize('NFC').trim().toLowerCase()
  if (email.length > 254 || !form.test(email) || email.indexOf('@') > 64) throw invalid('/email', 'must be an e-mail address')
  return email
}

// what mail servers accept in practice: a dot-atom local part (letters of any script) and a domain name with a dot
const form =
  /^[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~-]+(\.[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~-]+)*@([\p{L}\p{N}]([\p{L}\p{M}\p{N}-]{0,61}[\p{L}\p{N}])?\.)+[\p{L}]([\p{L}\p{M}\p{N}-]{0,61}[\p{L}\p{N}])$/u

/** A number in E.164 (`+5511987654321`); what people put between the digits is dropped. Throws `validation_failed`. */
export function normalPhone(text: string): string {
  const phone = text.replace(/[\s().-]/g, '')
  if (!/^\+[1-9]\d{7,14}$/.test(phone)) throw invalid('/phone', 'must be a number with its country code, such as +55 11 98765-4321')
  return phone
}

/** A name in NFC with single blanks; no control or formatting characters, which could forge a line of a mail or turn its text around. Throws `validation_failed`. */
export function normalName(text: string): string {
  const name = text.normalize('NFC').trim().replace(/\s+/gu, ' ')
  if (!/\p{L}/u.test(name) || /[\p{Cc}\p{Cs}\p{Co}\p{Cn}\u202a-\u202e\u2066-\u2069<>]/u.test(name)) throw invalid('/name', 'must be a name')
  return name
}
