import { expect, test } from 'bun:test'
import type { TSchema } from '@sinclair/typebox'
import { Elysia, t } from 'elysia'
import { handlerOf, http, problems } from './app.ts'
import { Instant, LocalDate, LocalTime, Money, OptionalBody, SpecialtyCode, Uuid } from './schema.ts'

type Refusal = { code: string; errors: { path: string; message: string }[] }

/** What a route that takes a body of this schema answers to a body. */
async function refusalOf(body: TSchema, sent: unknown): Promise<Refusal> {
  const handle = handlerOf(new Elysia(http).use(problems).post('/things', () => 'fine', { body }))
  const headers = { 'content-type': 'application/json' }
  const answer = await handle(new Request('http://localhost/things', { method: 'POST', headers, body: JSON.stringify(sent) }))
  expect(answer.status).toBe(422)
  return (await answer.json()) as Refusal
}
const of = (schema: TSchema) => t.Object({ a: schema }, { additionalProperties: false })

test.each<[TSchema, unknown, string]>([
  [t.Union([t.Literal('price'), t.Literal('name')]), 'age', 'must be one of price, name'],
  [t.Union([t.Literal('pt-BR')]), 5, 'must be "pt-BR"'],
  [t.Union([LocalDate, Instant]), 'x', 'must be a date such as 2027-01-05 or an instant such as 2027-01-05T11:00:00Z'],
  [t.Union([t.String(), t.Null()]), 5, 'must be a text or null'],
  [t.String(), 5, 'must be a text'],
  [t.String({ minLength: 1 }), '', 'must not be empty'],
  [t.String({ minLength: 3 }), 'a', 'must have at least 3 characters'],
  [t.String({ maxLength: 1 }), 'ab', 'must have at most 1 character'],
  [t.String({ pattern: '\\S' }), '  ', 'must not be blank'],
  [Uuid, 'x', 'must be a UUID'],
  [LocalTime, '25:00', 'must be a time such as 08:00'],
  [t.Number({ multipleOf: 1 }), 'x', 'must be a whole number'],
  [t.Number({ multipleOf: 1 }), 1.5, 'must be a whole number'],
  [t.Number({ minimum: 1 }), 0, 'must be at least 1'],
  [t.Number({ maximum: 7 }), 8, 'must be at most 7'],
  [t.Boolean(), 'true', 'must be true or false'],
  [t.Array(Uuid), 5, 'must be a list'],
  [t.Array(SpecialtyCode, { minItems: 1 }), [], 'must have at least 1 item'],
  [t.Array(SpecialtyCode, { maxItems: 2 }), ['a', 'b', 'c'], 'must have at most 2 items'],
  [t.Array(SpecialtyCode, { uniqueItems: true }), ['a', 'a'], 'must not have the same item twice'],
  [Money, 5, 'must be an object'],
  [Uuid, undefined, 'is required']
])('%#: what is wrong is said in plain words', async (schema, sent, message) => {
  expect((await refusalOf(of(schema), { a: sent })).errors[0]).toEqual({ path: '/a', message })
})

test('unknown fields, empty changes and bodies of another kind are named, too', async () => {
  expect((await refusalOf(of(t.Optional(Uuid)), { role: 'admin' })).errors).toEqual([{ path: '/role', message: 'is not a known field' }])
  const change = t.Object({ a: t.Optional(Uuid) }, { minProperties: 1 })
  expect((await refusalOf(change, {})).errors).toEqual([{ path: '/', message: 'must have at least 1 field' }])
  for (const sent of [[], 5, null, 'x', true])
    expect((await refusalOf(OptionalBody(change), sent)).errors).toEqual([{ path: '/', message: 'must be an object' }])
  // of an object it is the field that is named
  expect((await refusalOf(OptionalBody(change), { a: 'x' })).errors).toEqual([{ path: '/a', message: 'must be a UUID' }])
})

test('an answer names twenty fields at most, and repeats no long name in full', async () => {
  const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, nth) => [`f${nth}`, 0]))
  expect((await refusalOf(of(t.Optional(Uuid)), many)).errors).toHaveLength(20)
  const [long] = (await refusalOf(of(t.Optional(Uuid)), { [`${'n'.repeat(60_000)}`]: 0 })).errors
  expect(long?.path.length).toBeLessThan(300)
})
