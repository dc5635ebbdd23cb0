import { oneLine } from '#platform/http/text'
import { differs, longDate, zoneName } from './dates.ts'
import type { Facts } from './model.ts'

const labels = {
  'pt-BR': {
    when: 'Data e hora',
    zone: 'Fuso horário',
    yours: 'No seu fuso',
    before: 'Horário anterior',
    doctor: 'Médico(a)',
    patient: 'Paciente',
    reason: 'Motivo informado'
  },
  en: {
    when: 'Date and time',
    zone: 'Time zone',
    yours: 'In your zone',
    before: 'Previous time',
    doctor: 'Doctor',
    patient: 'Patient',
    reason: 'Reason given'
  }
}

type Rows = [label: string, value: string][]

/** What another person wrote, as a quotation on one line: nothing in it can end the quotation or look like a line of ours. */
export const quoted = (text: string): string => `“${oneLine(text).replace(/["“”„‟«»＂]/g, '’')}”`

/** An appointment's rows: its time in the doctor's zone with the zone's name, and in the recipient's where it differs. */
export function appointmentFacts(facts: Facts): Rows {
  const { appointment, locale, you } = facts
  if (!appointment) return []
  const words = labels[locale]
  const { start, timezone, previousStart, statusReason } = appointment
  return [
    ...timeRows(start, timezone, { locale, you }),
    ...(previousStart ? [[words.before, longDate(previousStart, timezone, locale)] satisfies Rows[number]] : []),
    ...partyRows(facts, you.role === 'doctor' ? 'patient' : 'doctor'),
    ...(statusReason ? [[words.reason, quoted(statusReason)] satisfies Rows[number]] : [])
  ]
}

/** A waiting list's offer: its time and the doctor. */
export function offerFacts(facts: Facts): Rows {
  const { offer } = facts
  return offer ? [...timeRows(offer.start, offer.timezone, facts), ...partyRows(facts, 'doctor')] : []
}

/** The other party, where there is a name to show. */
const partyRows = (facts: Facts, party: 'doctor' | 'patient'): Rows =>
  facts.isNamed[party] ? [[labels[facts.locale][party], facts[party]]] : []

function timeRows(start: string, timezone: string, { locale, you }: Pick<Facts, 'locale' | 'you'>): Rows {
  const words = labels[locale]
  const own = `${longDate(start, you.timezone, locale)}, ${zoneName(start, you.timezone, locale)}`
  return [
    [words.when, longDate(start, timezone, locale)],
    [words.zone, zoneName(start, timezone, locale)],
    ...(differs(start, timezone, you.timezone) ? [[words.yours, own] satisfies Rows[number]] : [])
  ]
}
