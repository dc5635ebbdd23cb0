import { Problem } from '#platform/http/problem'

/** The 27 federative units of Brazil: each has a regional council of medicine of its own. */
const states = new Set('AC AL AM AP BA CE DF ES GO MA MG MS MT PA PB PE PI PR RJ RN RO RR RS SC SE SP TO'.split(' '))

// dots and hyphens may stand between the digits
const numberFirst = /^(?:CRM[\s/:.-]*)?(\d(?:[.-]?\d)*)[\s/.-]*([A-Z]{2})$/
const stateFirst = /^CRM[\s/.-]*([A-Z]{2})[\s/:.-]*(\d(?:[.-]?\d)*)$/
const MOST_DIGITS = 10

/** The normal form `123456-SP` of a CRM in its usual spellings, undefined where it is none. Leading zeros say nothing. */
export function readCrm(text: string): string | undefined {
  const spelled = text.normalize('NFKC').trim().toUpperCase()
  const [, digits, state] = numberFirst.exec(spelled) ?? swapped(stateFirst.exec(spelled)) ?? []
  const number = digits?.replace(/\D/g, '') ?? ''
  if (!state || !states.has(state) || number.length > MOST_DIGITS || Number(number) === 0) return undefined
  return `${Number(number)}-${state}`
}

const swapped = (match: RegExpExecArray | null) => match && [match[0], match[2], match[1]]

/** As `readCrm`; throws `invalid_crm`. */
export function requireCrm(text: string): string {
  const crm = readCrm(text)
  if (!crm) throw new Problem('invalid_crm', 'A CRM is 1 to 10 digits and a state, such as 123456-SP')
  return crm
}
