import { type TSchema, TypeGuard } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import type { AnyElysia } from 'elysia'
import { exampleOf, gapsOf, type Json } from './example.ts'
import type { Operation } from './operation.ts'

type Schemas = Record<string, TSchema> | undefined
type Hooks = { body?: TSchema; response?: Schemas; params?: TSchema; query?: TSchema; headers?: TSchema }
type Media = { schema: Json; example?: unknown; examples?: Record<string, { value: Json }> }

/** What the document of an app leaves unsaid, or shows an example of that the app itself would refuse. Each line names operation and place. */
export async function flawsOf(app: AnyElysia): Promise<string[]> {
  const answer = await app.handle(new Request('http://localhost/docs/json'))
  const { paths } = (await answer.json()) as { paths: Record<string, Record<string, Operation>> }
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([method, operation]) => {
      const pattern = path.replace(/\{(\w+)\}/g, ':$1')
      const route = app.routes.find((each) => each.path === pattern && each.method === method.toUpperCase())
      const flaws = [...ofWords(operation), ...ofInput(operation, route?.hooks ?? {}), ...ofAnswers(operation, route?.hooks ?? {})]
      return flaws.map((flaw) => `${method} ${path}: ${flaw}`)
    })
  )
}

function ofWords({ summary, description, tags, security }: Operation): string[] {
  const says = typeof description === 'string' && description.endsWith('.') && description !== `${summary}.`
  return [
    ...(typeof summary === 'string' && summary ? [] : ['no summary']),
    ...(says ? [] : ['no description that ends with a full stop and says more than the summary']),
    ...(Array.isArray(tags) && tags.length > 0 ? [] : ['no tag']),
    ...(Array.isArray(security) ? [] : ['nothing on who may call it'])
  ]
}

function ofInput({ parameters = [], requestBody }: Operation, hooks: Hooks): string[] {
  const places: Record<string, TSchema | undefined> = { path: hooks.params, query: hooks.query, header: hooks.headers }
  const flaws = parameters.flatMap((parameter) => {
    const { name, description } = parameter as { name: string; description?: string }
    const place = `parameter ${name}`
    const own = places[String(parameter.in)]?.properties?.[name] as TSchema | undefined
    return [...(description ? [] : [`${place} is not described`]), ...(own ? ofExample(exampleOfParameter(own), own, place) : [])]
  })
  const content = requestBody?.content as Record<string, Media> | undefined
  // Elysia checks nothing that is no object in place of such a one
  if (hooks.body && TypeGuard.IsOptional(hooks.body)) flaws.push('body is `t.Optional`, use `OptionalBody`')
  return content ? [...flaws, ...ofMedia(content, hooks.body, 'body')] : flaws
}

/** Of those that may be left out the document has it in words. */
const exampleOfParameter = ({ examples, anyOf }: TSchema): unknown => examples?.[0] ?? anyOf?.[0]?.const

function ofAnswers({ responses, security = [] }: Operation, { response }: Hooks): string[] {
  const isTold = security.length === 0 || responses['401']
  const flaws = isTold ? [] : ['no 401 though it asks for a token']
  return Object.entries(responses).reduce((found, [status, { description, content }]) => {
    const place = `answer ${status}`
    const isDescribed = typeof description === 'string' && description !== '' && description !== 'Done'
    if (!isDescribed) found.push(`${place} is not described`)
    if (content) found.push(...ofMedia(content as Record<string, Media>, response?.[status], place))
    else if (!['202', '204', '304'].includes(status)) found.push(`${place} has no content`)
    return found
  }, flaws)
}

function ofMedia(content: Record<string, Media>, own: TSchema | undefined, place: string): string[] {
  return Object.values(content).flatMap(({ schema, example, examples }) => {
    if (!examples) return ofExample(example ?? exampleOf(schema), own, place)
    const named = Object.entries(examples)
    if (named.length === 0) return [`${place} has no example`]
    return named.filter(([code, { value }]) => value.code !== code || !value.title).map(([code]) => `${place}: ${code} is no problem`)
  })
}

/** `own` is the schema that the app itself checks with: what passes there would pass in earnest. */
function ofExample(example: unknown, own: TSchema | undefined, place: string): string[] {
  const gaps = gapsOf(example).map((gap) => `${place} has no example of ${gap}`)
  if (gaps.length > 0 || !own || Value.Check(own, example)) return gaps
  const error = Value.Errors(own, example).First()
  return [`the example of ${place} would be refused: ${error?.path || '/'} ${error?.message ?? ''}`]
}
