import { FormatRegistry, type Static, type TSchema } from '@sinclair/typebox'
import { t } from 'elysia'
import { Problem } from './problem.ts'
import { isPlainText } from './text.ts'

/** The same schema with an example of its own, and in words what its name does not say. */
export const eg = <Schema extends TSchema>(schema: Schema, example: Static<Schema>, description?: string): Schema => ({
  ...schema,
  examples: [example],
  ...(description && { description })
})

/** A body that may be left out. `t.Optional` would not do: Elysia then checks no list, text, number or `null` that is sent in its place. */
export const OptionalBody = <Schema extends TSchema>(schema: Schema) => t.Union([schema, t.Undefined()])

/** A UUIDv7 in its canonical form. */
export const Uuid = t.String({
  pattern: '^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$',
  examples: ['019b0d5e-3c4f-7a31-9f0e-2f6f1f0c9a11'],
  error: 'must be a UUID'
})
/** What has an id, and the one that it has in every example. */
const ids = {
  doctor: '019b0d5e-3c4f-7a31-9f0e-2f6f1f0c9a11',
  patient: '019b0d61-77a0-7c42-8d15-5b0e9c3a7f20',
  user: '019b0d61-77a0-7c42-8d15-5b0e9c3a7f20',
  session: '019b1a20-5d11-7e09-b7c4-0f3a6d2e8b91',
  appointment: '019b1a2c-0f3e-7b58-a1c6-94d2e7b30c35',
  hold: '019b1a2b-8e57-7d60-94aa-3c1f7e5b2d08',
  exception: '019b0e02-64c8-7f1b-8a3d-71e0c9b5f246',
  'place in the line': '019b1a40-2b9d-7036-bd52-e8a4f01c6937',
  notification: '019b1a2c-1c05-7a9e-8f47-26b3d0e9c574',
  event: '019b1a2c-0f41-7c8d-b0e2-57f9a3c16d80',
  'dead letter': '019b1b07-43fa-7215-96d8-c2e5b7a01f3e'
}
/** The id of one kind of thing. */
export const IdOf = (noun: keyof typeof ids) => eg(Uuid, ids[noun], `The id of the ${noun}`)
/** The `:id` in the path of one. */
export const ById = (noun: keyof typeof ids) => t.Object({ id: IdOf(noun) })

/** The name of a person, as answers show it. */
export const PersonName = t.String({ examples: ['Ana Conceição'] })
/** A doctor's registration: number and state. */
export const Crm = t.String({ examples: ['123456-SP'] })
/** The code of a medical specialty, of those that `GET /v1/specialties` lists. */
export const SpecialtyCode = t.String({ maxLength: 64, examples: ['cardiologia'], description: 'A code of `GET /v1/specialties`' })
const uuidForm = new RegExp(Uuid.pattern as string)
/** Whether a part of a cursor is a UUID: only such a one may reach a `uuid` column. */
export const isUuid = (part: unknown): part is string => typeof part === 'string' && uuidForm.test(part)
/** The years that a date or an instant may be of; every other one is refused where it comes in. */
const YEARS = { first: 1900, last: 2200 }
const date = '\\d{4}-\\d{2}-\\d{2}'
/**
 * An instant, RFC 3339: with any offset and up to nine digits of a fraction as it comes in, in UTC as it goes out. Whether the day exists and
 * its year is in range is for `instantOf` to say.
 */
export const Instant = t.String({
  pattern: `^${date}[Tt]\\d{2}:\\d{2}(?::\\d{2}(?:\\.\\d{1,9})?)?(?:[Zz]|[+-]\\d{2}:\\d{2})$`,
  examples: ['2027-01-05T11:00:00Z'],
  error: 'must be an instant such as 2027-01-05T11:00:00Z'
})
/** A calendar date. Whether it exists and its year is in range is for `dateOf` to say. */
export const LocalDate = t.String({
  pattern: `^${date}$`,
  examples: ['2027-01-05'],
  error: 'must be a date such as 2027-01-05'
})
/** A wall-clock time to the minute; `24:00` may end a window. */
export const LocalTime = t.String({
  pattern: '^(([01]\\d|2[0-3]):[0-5]\\d|24:00)$',
  examples: ['08:00'],
  error: 'must be a time such as 08:00'
})
/** An IANA zone name; whether it is one is for `zoneOf` to say. */
export const TimeZone = t.String({ minLength: 1, maxLength: 64, examples: ['America/Sao_Paulo'], description: 'An IANA zone' })
/** Integer minor units (cents) and an ISO 4217 currency. */
export const Money = t.Object(
  { amount: t.Number({ multipleOf: 1, minimum: 0, maximum: 100_000_000 }), currency: t.String({ pattern: '^[A-Z]{3}$' }) },
  {
    additionalProperties: false,
    examples: [{ amount: 35000, currency: 'BRL' }],
    description: 'Minor units (cents), and a currency of ISO 4217'
  }
)
FormatRegistry.Set('plain-text', isPlainText)
/** Text that one person writes and another reads. Lines, tabs and emoji are kept as typed; see `isPlainText` for what is refused. */
export const PlainText = (minLength: number, maxLength: number, example: string) =>
  t.String({
    minLength,
    maxLength,
    format: 'plain-text',
    ...(minLength > 0 && { pattern: '\\S' }),
    examples: [example],
    error: `must be text of ${minLength} to ${maxLength} characters, without invisible characters or ones that change its direction`
  })
/** A reason that a person wrote. */
export const Reason = PlainText(1, 500, 'The doctor is travelling that week')

/** A whole number in a query string, with its bounds; the path of a bad one is kept (`t.Numeric` loses it). */
export const queryInteger = (minimum: number, maximum: number, options: Record<string, unknown> = {}) =>
  t
    .Transform(t.String({ pattern: '^\\d{1,12}$', error: `must be a whole number from ${minimum} to ${maximum}`, ...options }))
    .Decode((value) => {
      const number = Number(value)
      if (number < minimum || number > maximum) throw invalid(String(options.path ?? '/'), `must be from ${minimum} to ${maximum}`)
      return number
    })
    .Encode(String)

/** `?limit=` and `?cursor=` of every list. */
export const PageQuery = {
  limit: t.Optional(queryInteger(1, 100, { path: '/limit', examples: ['50'], description: 'How many at most; 20 where it is not said' })),
  cursor: t.Optional(
    t.String({
      maxLength: 2_048,
      examples: ['WyJ3YWl0bGlzdCIsIjAxOWIxYTQwLTJiOWQtNzAzNi1iZDUyLWU4YTRmMDFjNjkzNyJd'],
      description: 'Where to go on: the `nextCursor` of the answer before, asked in the same way'
    })
  )
}
/** The answer of a list. */
export const PageOf = <Item extends Parameters<typeof t.Array>[0]>(item: Item) =>
  t.Object({
    items: t.Array(item),
    nextCursor: t.Union([t.String(), t.Null()], {
      examples: ['WyJ3YWl0bGlzdCIsIjAxOWIxYTQwLTJiOWQtNzAzNi1iZDUyLWU4YTRmMDFjNjkzNyJd'],
      description: 'Null on the last page'
    })
  })

/** A `validation_failed` problem for one field, by its JSON pointer. */
export const invalid = (path: string, message: string): Problem =>
  new Problem('validation_failed', undefined, { errors: [{ path, message }] })

/** The instant that a checked string means; throws `validation_failed` for a day or hour that does not exist, and outside of 1900 to 2200. */
export function instantOf(value: string, path: string): Temporal.Instant {
  const instant = parsed(() => Temporal.Instant.from(value), path, 'is not an instant that exists')
  // an offset can carry it over the edge of a year
  requireYear(instant.toZonedDateTimeISO('UTC').year, path)
  return instant
}
/** The date that a checked string means; throws `validation_failed` for 30 February, and outside of 1900 to 2200. */
export function dateOf(value: string, path: string): Temporal.PlainDate {
  const found = parsed(() => Temporal.PlainDate.from(value, { overflow: 'reject' }), path, 'is not a date that exists')
  requireYear(found.year, path)
  return found
}

function requireYear(year: number, path: string): void {
  if (year < YEARS.first || year > YEARS.last) throw invalid(path, `must lie between the years ${YEARS.first} and ${YEARS.last}`)
}

function parsed<T>(read: () => T, path: string, message: string): T {
  try {
    return read()
  } catch {
    throw invalid(path, message)
  }
}

const zones = new Set(Intl.supportedValuesOf('timeZone'))

/** The zone as it was given, if it is an IANA name; offsets such as `+03:00` are none. Throws `invalid_timezone`. */
export function zoneOf(zone: string): string {
  if (zones.has(zone)) return zone
  try {
    // names that only link to another (Asia/Calcutta) are not listed, but Temporal knows them
    if (/^[A-Za-z]/.test(zone)) return Temporal.Now.zonedDateTimeISO(zone).timeZoneId
  } catch {
    // falls through
  }
  throw new Problem('invalid_timezone')
}

const currencies = new Set(Intl.supportedValuesOf('currency'))

/** Throws `validation_failed` where a currency is none of ISO 4217. */
export function requireCurrency(currency: string, path: string): void {
  if (!currencies.has(currency)) throw invalid(path, 'must be a currency of ISO 4217, such as BRL')
}

/** An instant from the database as the API writes it: UTC, without a fraction that is zero. */
export const instantText = (date: Date): string => Temporal.Instant.fromEpochMilliseconds(date.getTime()).toString()
/** The same of a column that may be null. */
export const maybeInstantText = (date: Date | null): string | null => date && instantText(date)

/** Whether an `If-None-Match` header has the tag: any of a list, weak ones too, or `*`. RFC 9110. */
export const hasTag = (header: string | undefined, tag: string): boolean =>
  header?.split(',').some((known) => known.trim().replace(/^W\//, '') === tag || known.trim() === '*') ?? false
