import { expect, test } from 'bun:test'
import { Elysia, t } from 'elysia'
import { http, problems } from '../http/app.ts'
import { about } from './about.ts'
import { flawsOf } from './check.ts'
import { docs } from './docs.ts'

const Name = t.String({ minLength: 2, examples: ['Ana'] })
const good = about({ summary: 'Make one', description: 'It bears a name.', tags: ['Things'], answer: 'The thing' })
const schemas = { query: t.Object({ q: Name }), body: t.Object({ name: Name }), response: { 200: t.Object({ name: Name }) } }
type Schemas = { query: typeof schemas.query; body: typeof schemas.body; response: typeof schemas.response }

/** An app with one route, made so that only its document matters. */
const appOf = (detail: object, more: object = {}) =>
  new Elysia(http)
    .use(problems)
    .use(docs('Things', 'All about things.'))
    .post('/v1/things', () => ({ name: 'Ana' }), { ...schemas, ...more, detail } as Schemas)

test('a parameter, too, is described', async () => {
  expect(await flawsOf(appOf(good))).toEqual(['post /v1/things: parameter q is not described'])
})

test.each<[what: string, detail: object, more: object, flaw: string]>([
  ['a description that repeats the summary', { ...good, description: 'Make one.' }, {}, 'no description'],
  ['no summary', { ...good, summary: '' }, {}, 'no summary'],
  ['no tag', { ...good, tags: [] }, {}, 'no tag'],
  ['an answer without words', { ...good, 'x-about': {} }, {}, 'answer 200 is not described'],
  ['a field of a body without example', good, { body: t.Object({ name: t.String() }) }, 'body has no example of /name'],
  ['a field deep in an answer', good, { response: { 200: t.Object({ all: t.Array(t.Object({ a: t.Number() })) }) } }, 'of /all/0/a'],
  [
    'an example that is refused',
    good,
    { body: t.Object({ name: t.String({ maxLength: 2, examples: ['Ana'] }) }) },
    'body would be refused: /name'
  ],
  [
    'one of an answer',
    good,
    { response: { 200: t.Object({ n: t.Number({ maximum: 1, examples: [2] }) }) } },
    'answer 200 would be refused: /n'
  ],
  ['one of a parameter', good, { query: t.Object({ q: t.String({ maxLength: 2, examples: ['Ana'] }) }) }, 'parameter q would be refused'],
  ['a body that nothing checks', good, { body: t.Optional(schemas.body) }, 'body is `t.Optional`'],
  ['an answer of nothing that is known', good, { response: undefined }, 'answer 200 has no content']
])('%s is a flaw', async (_, detail, more, flaw) => {
  expect((await flawsOf(appOf(detail, more))).join('\n')).toContain(flaw)
})
