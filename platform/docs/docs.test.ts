import { expect, test } from 'bun:test'
import { Elysia, t } from 'elysia'
import { http, problems } from '../http/app.ts'
import { Uuid } from '../http/schema.ts'
import { bearer } from '../identity/caller.ts'
import { about } from './about.ts'
import { docs } from './docs.ts'

type Operation = {
  responses: Record<string, { description: string; content?: Record<string, { schema: Record<string, unknown> }> }>
  security?: unknown[]
  parameters?: { name: string; in: string }[]
  'x-roles'?: string[]
}
type Document = { paths: Record<string, Record<string, Operation>> }

const own = new Elysia().use(bearer(() => Promise.reject(new Error('nobody')), 'doctor')).post('/v1/things', ({ body }) => body, {
  body: t.Object({ name: t.String() }),
  detail: about({ summary: 'Make one', description: 'It bears a name.', takes: ['Idempotency-Key'] })
})
const things = new Elysia()
  .get('/v1/things/:id/file.ics', () => ({ next: null, kind: 'a' as const }), {
    params: t.Object({ id: Uuid }),
    response: { 200: t.Object({ next: t.Union([t.String(), t.Null()]), kind: t.Union([t.Literal('a'), t.Literal('b')]) }) },
    detail: about({ summary: 'A file', description: 'Of one kind.', problems: ['slot_taken'] })
  })
  .get('/v1/either', () => ({ a: 'x' }), {
    response: { 200: t.Union([t.Object({ a: t.String() }), t.Object({ path: t.Number() })]) },
    detail: { summary: 'One of two' }
  })
  .delete('/v1/things', () => {}, { response: { 204: t.Void() }, detail: { summary: 'Empty' } })
const app = new Elysia(http).use(problems).use(docs('Things', 'All about things.')).use(things).use(own)
const document = async () => (await (await app.handle(new Request('http://localhost/docs/json'))).json()) as Document

test('paths with a dot are there, null and literals are as OpenAPI 3.0 has them', async () => {
  const file = (await document()).paths['/v1/things/{id}/file.ics']?.get
  const schema = file?.responses['200']?.content?.['application/json']?.schema as { properties: object }
  expect(schema.properties).toEqual({ next: { type: 'string', nullable: true }, kind: { type: 'string', enum: ['a', 'b'] } })
})

test('every answer is described, the named problems stand beside those of all', async () => {
  const { paths } = await document()
  const file = paths['/v1/things/{id}/file.ics']?.get
  const make = paths['/v1/things']?.post
  for (const operation of [file, make])
    expect(Object.values(operation?.responses ?? {}).every(({ description }) => description.length > 0)).toBe(true)
  expect(file?.responses['409']?.description).toContain('slot_taken')
  expect(Object.keys(make?.responses ?? {})).toEqual(expect.arrayContaining(['401', '403', '415', '422', '429', '500']))
})

test('who may call is what the app checks, and headers with a meaning are told', async () => {
  const { paths } = await document()
  const [file, make] = [paths['/v1/things/{id}/file.ics']?.get, paths['/v1/things']?.post]
  expect([file?.security, file?.['x-roles'], make?.security, make?.['x-roles']]).toEqual([[], undefined, [{ bearer: [] }], ['doctor']])
  expect(make?.parameters).toEqual([expect.objectContaining({ name: 'Idempotency-Key', in: 'header', required: false })])
})

test('an example of what may be left out does not fill Swagger’s form', async () => {
  const [key] = (await document()).paths['/v1/things']?.post?.parameters ?? []
  expect(key).toEqual(expect.not.objectContaining({ example: expect.anything() }))
  expect(key).toMatchObject({ description: expect.stringContaining('Example: `') })
})

test('asked twice it says the same, and the plugin’s own page is not there', async () => {
  expect(await document()).toEqual(await document())
  expect((await app.handle(new Request('http://localhost/docs/page'))).status).toBe(404)
})

test('an answer of several shapes stands in its media type, one without a body has none', async () => {
  const { paths } = await document()
  const either = paths['/v1/either']?.get?.responses['200']
  expect(either?.content?.['application/json']?.schema).toMatchObject({
    anyOf: [{ required: ['a'] }, { properties: { path: { type: 'number' } } }]
  })
  expect(paths['/v1/things']?.delete?.responses['204']).toEqual({ description: 'Done' })
})
