import type { Locale } from '../people/queries.ts'

/** `quinta-feira, 7 de janeiro de 2027, 08:00` or `Thursday, January 7, 2027, 8:00 AM`: an instant on the wall of a zone. */
export function longDate(instant: string, timezone: string, locale: Locale): string {
  const date = new Date(instant)
  const day = formatter(locale, { timeZone: timezone, weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' })
  return plain(`${day.format(date)}, ${clock(date, timezone, locale)}`)
}

/** `7 de jan., 08:00` or `Jan 7, 8:00 AM`: short enough for a subject. */
export function shortDate(instant: string, timezone: string, locale: Locale): string {
  const date = new Date(instant)
  const day = formatter(locale, { timeZone: timezone, day: 'numeric', month: 'short' })
  return plain(`${day.format(date)}, ${clock(date, timezone, locale)}`)
}

/** `08:00` or `8:00 AM`. */
export const timeOfDay = (instant: string, timezone: string, locale: Locale): string => plain(clock(new Date(instant), timezone, locale))

/** `Horário Padrão de Brasília (GMT-3)`: the zone's name at that instant. */
export function zoneName(instant: string, timezone: string, locale: Locale): string {
  const named = (style: 'long' | 'shortOffset') =>
    formatter(locale, { timeZone: timezone, timeZoneName: style })
      .formatToParts(new Date(instant))
      .find(({ type }) => type === 'timeZoneName')?.value ?? timezone
  const [name, offset] = [named('long'), named('shortOffset')]
  return name === offset ? name : `${name} (${offset})`
}

/** Whether two zones show another time at that instant. */
export const differs = (instant: string, one: string, other: string): boolean => {
  const at = Temporal.Instant.from(instant)
  return at.toZonedDateTimeISO(one).offset !== at.toZonedDateTimeISO(other).offset
}

const clock = (date: Date, timezone: string, locale: Locale) => {
  const hour = locale === 'en' ? 'numeric' : '2-digit'
  return formatter(locale, { timeZone: timezone, hour, minute: '2-digit' }).format(date)
}

const formatters = new Map<string, Intl.DateTimeFormat>()

/** Making a formatter takes longer than composing the rest of a mail; there are as many as zones, languages and styles in use. */
function formatter(locale: Locale, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${locale} ${JSON.stringify(options)}`
  const known = formatters.get(key) ?? new Intl.DateTimeFormat(locale, options)
  formatters.set(key, known)
  return known
}

/** Intl puts narrow no-break spaces between the hour and AM, which some mail programs show as a box. */
const plain = (text: string) => text.replace(/[\u202f\u00a0]/g, ' ')
