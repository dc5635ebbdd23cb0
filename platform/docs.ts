import { swagger } from '@elysiajs/swagger'
import { Elysia } from 'elysia'
import packageJson from '../package.json' with { type: 'json' }
import { Problem, problemsOf } from './problem.ts'

type Json = { [name: string]: unknown }
type Operation = Json & {
  responses: Record<string, Json>
  security?: unknown[]
  requestBody?: Json
  parameters?: Json[]
  'x-problems'?: string[]
}

/** Where a process shows its OpenAPI document. */
const PATH = '/docs/json'

/**
 * Serves the OpenAPI document of an app at `/docs/json`, made by @elysiajs/swagger and repaired: every answer described, one media type, null and
 * literals as OpenAPI 3.0 writes them, bearer tokens, and the problems that an operation names in `detail['x-problems']` beside those of all.
 */
export const docs = (title: string, description: string) =>
  new Elysia({ name: 'docs', seed: title })
    .onAfterHandle(({ response, path }) => {
      // the plugin's page loads its script from elsewhere; the gateway has one that does not
      if (path !== PATH) throw new Problem('not_found')
      return repaired(response as Json)
    })
    .use(
      swagger({
        path: '/docs/page',
        specPath: PATH,
        excludeStaticFile: false,
        exclude: ['/docs/page', PATH],
        documentation: {
          servers: [{ url: '/' }],
          info: {
            title: `Health&Med: ${title}`,
            description,
            version: packageJson.version,
            license: { name: 'MIT', url: 'https://opensource.org/license/mit' }
          }
        }
      })
    )

const documents = new WeakMap<object, Json>()

function repaired(document: Json): Json {
  const known = documents.get(document.paths as object)
  if (known) return known
  const result = cleaned(document) as Json
  for (const [path, operations] of Object.entries(result.paths as Record<string, Record<string, Operation>>)) {
    for (const [method, operation] of Object.entries(operations)) describe(operation, method, path)
  }
  const asksForToken = JSON.stringify(result.paths).includes('"bearer":[]')
  result.components = { schemas: { Problem: problemSchema }, ...(asksForToken && { securitySchemes: { bearer } }) }
  documents.set(document.paths as object, result)
  return result
}

const bearer = { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'The `accessToken` of `POST /v1/auth/login`.' }

const dropped = new Set(['$id', 'error', 'path', 'additionalItems'])

/** JSON Schema as the type library writes it, as OpenAPI 3.0 reads it. */
function cleaned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(cleaned)
  if (value === null || typeof value !== 'object') return value
  const source = value as Json
  if (Array.isArray(source.anyOf)) return cleanedUnion(source, source.anyOf as Json[])
  const result: Json = {}
  for (const [name, inner] of Object.entries(source)) {
    // the plugin names what a schema could have had as undefined
    if (dropped.has(name) || inner === undefined) continue
    if (name === 'const') result.enum = [inner]
    else if (name === 'examples' && Array.isArray(inner)) result.example = inner[0]
    // names of fields, of which any may be a word with a meaning elsewhere
    else if (name === 'properties')
      result.properties = Object.fromEntries(Object.entries(inner as Json).map(([field, schema]) => [field, cleaned(schema)]))
    else if (name === 'patternProperties') result.additionalProperties = true
    else if (name === 'content') Object.assign(result, oneMediaType(inner as Json | undefined))
    else result[name] = cleaned(inner)
  }
  return result
}

function cleanedUnion({ anyOf: _, ...rest }: Json, members: Json[]): unknown {
  const real = members.filter(({ type }) => type !== 'null')
  const nullable = real.length < members.length ? { nullable: true } : {}
  const others = cleaned(rest) as Json
  if (real.length === 1) return { ...others, ...(cleaned(real[0]) as Json), ...nullable }
  if (real.every((member) => 'const' in member))
    return { ...others, type: real[0]?.type, enum: real.map((member) => member.const), ...nullable }
  return { ...others, anyOf: real.map(cleaned), ...nullable }
}

/** An answer without a body has no media type at all. */
const oneMediaType = (content: Json = {}): Json => {
  const json = (content['application/json'] ?? Object.values(content)[0]) as { schema?: { type?: string } } | undefined
  return json === undefined || json.schema?.type === 'void' ? {} : { content: { 'application/json': cleaned(json) } }
}

function describe(operation: Operation, method: string, path: string) {
  const open = Array.isArray(operation.security) && operation.security.length === 0
  if (!open) operation.security = [{ bearer: [] }]
  operation.operationId = `${method}${path.replace(/[{}]/g, '').replace(/[^A-Za-z0-9]+(.)?/g, (_, next?: string) => next?.toUpperCase() ?? '')}`
  operation.description ??= `${operation.summary ?? ''}.`
  for (const parameter of operation.parameters ?? []) parameter.description ??= `\`${parameter.name}\``
  const responses = operation.responses ?? {}
  if (responses['200'] && Object.keys(responses['200']).length === 0 && method === 'delete') {
    delete responses['200']
    responses['204'] = {}
  }
  for (const response of Object.values(responses)) {
    // a list: the plugin leaves its items outside of the media type, too
    delete response.items
    const { anyOf, content: _, ...rest } = response
    // an answer of several shapes: the plugin leaves it outside of its media type
    if (anyOf) {
      for (const name of Object.keys(response)) delete response[name]
      response.content = { 'application/json': { schema: { ...rest, anyOf } } }
    }
  }
  for (const [status, response] of Object.entries(responses)) response.description ||= Number(status) < 300 ? 'Done' : 'Nothing new'
  const always = ['bad_request', 'internal_error', 'rate_limited', 'overloaded', 'upstream_unavailable', 'upstream_timeout']
  const withToken = open ? [] : ['unauthenticated', 'token_expired', 'token_invalid', 'token_revoked', 'forbidden']
  const withInput = operation.requestBody || operation.parameters ? ['validation_failed'] : []
  const withBody = operation.requestBody ? ['malformed_json', 'unsupported_media_type', 'body_too_large'] : []
  const named = operation['x-problems'] ?? []
  const withPath = path.includes('{') && !problemsOf(named).has('404') ? ['not_found'] : []
  for (const [status, codes] of problemsOf([...always, ...withToken, ...withPath, ...withInput, ...withBody, ...named])) {
    responses[status] ??= {
      description: codes.map(({ code, title }) => `\`${code}\`: ${title}`).join('; '),
      content: problemContent(codes, status)
    }
  }
  operation.responses = responses
  delete operation['x-problems']
}

const problemContent = (codes: { code: string; title: string }[], status: string) => ({
  'application/problem+json': {
    schema: { $ref: '#/components/schemas/Problem' },
    examples: Object.fromEntries(
      codes.map(({ code, title }) => [
        code,
        {
          value: { type: `/problems/${code}`, title, status: Number(status), detail: title, instance: '/v1/…', code, requestId: '0b5c2f3e' }
        }
      ])
    )
  }
})

const text = (description: string) => ({ type: 'string', description })
const problemSchema = {
  type: 'object',
  description: 'RFC 9457 problem details',
  required: ['type', 'title', 'status', 'detail', 'instance', 'code', 'requestId'],
  properties: {
    type: text('A page that explains the code'),
    title: text('What the code means'),
    status: { type: 'integer', description: 'The HTTP status' },
    detail: text('What is wrong this time'),
    instance: text('The path asked for'),
    code: text('Stable name of the problem'),
    requestId: text('Also in `X-Request-Id` and in the logs'),
    errors: {
      type: 'array',
      description: 'What is wrong with which field',
      items: { type: 'object', required: ['path', 'message'], properties: { path: text('JSON pointer'), message: text('What is wrong') } }
    }
  }
}
