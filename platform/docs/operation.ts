import { type Code, problemsOf } from '../http/problem.ts'
import type { Role } from '../identity/caller.ts'
import { answerHeaders, type Rest, requestHeaders } from './about.ts'
import { exampleOf, type Json } from './example.ts'

/** An operation of an OpenAPI document, with what `about` left in it. */
export type Operation = Json & {
  responses: Record<string, Json>
  security?: unknown[]
  requestBody?: Json
  parameters?: Json[]
  'x-about'?: Rest
  'x-roles'?: Role[]
}

/** What an operation's route tells by itself. `roles`: null for everybody without a token, none for any with one. */
export type Route = { method: string; path: string; roles: readonly Role[] | null; isBodyOptional: boolean }

/** Completes an operation in place: its id, who may call it, its headers, and every answer that it can give. */
export function describe(operation: Operation, { method, path, roles, isBodyOptional }: Route): void {
  const { takes = [], ...rest } = operation['x-about'] ?? {}
  delete operation['x-about']
  operation.operationId = `${method}${path.replace(/[{}]/g, '').replace(/[^A-Za-z0-9]+(.)?/g, (_, next?: string) => next?.toUpperCase() ?? '')}`
  operation.security = roles === null ? [] : [{ bearer: [] }]
  if (roles && roles.length > 0) operation['x-roles'] = [...roles]
  if (operation.requestBody && isBodyOptional) operation.requestBody.required = false
  const headers = takes.map((name) => ({ name, in: 'header', required: false, ...requestHeaders[name] }))
  const parameters = [...(operation.parameters ?? []), ...headers]
  if (parameters.length > 0) operation.parameters = parameters.map(withoutPrefill)
  const gives = takes.includes('Idempotency-Key') ? [...(rest.gives ?? []), 'Idempotency-Replayed' as const] : rest.gives
  operation.responses = {
    ...answersOf(operation, method, { ...rest, gives: gives ?? [] }),
    ...refusalsOf(operation, path, rest.problems ?? [])
  }
}

/** Swagger's form begins with the examples of parameters: those of what may be left out stand in words, so that it is left out. */
function withoutPrefill({ example, ...parameter }: Json): Json {
  if (example === undefined || !parameter.description) return parameter
  if (parameter.required) return { ...parameter, example }
  return { ...parameter, description: `${String(parameter.description).replace(/\.$/, '')}. Example: \`${example}\`.` }
}

/** The answers that routes declare, without what the plugin leaves beside their media types. */
function answersOf({ responses }: Operation, method: string, about: Rest): Record<string, Json> {
  const answers: Record<string, Json> = {}
  for (const [status, { description, content, example }] of Object.entries(responses)) {
    const isEmpty = status === '200' && method === 'delete' && !content
    const isGood = Number(status) < 300
    answers[isEmpty ? '204' : status] = {
      description: description ?? (isGood ? (about.answer ?? 'Done') : 'Nothing new: what you have is still so'),
      ...(isGood && about.gives?.length && { headers: Object.fromEntries(about.gives.map((name) => [name, answerHeaders[name]])) }),
      ...(isGood ? contentOf(content as Content, about, example as Json) : content ? { content } : {})
    }
  }
  return answers
}

type Content = { 'application/json': { schema: Json } } | undefined

/** `whole` is the example of the schema as one, which the plugin leaves beside its media type. */
function contentOf(content: Content, { text, example }: Rest, whole: Json | undefined): Json {
  if (text) return { content: { [text.type]: { schema: { type: 'string' }, example: text.example } } }
  if (!content) return {}
  const { schema } = content['application/json']
  if (!whole && !example) return { content }
  return { content: { 'application/json': { schema, example: { ...(whole ?? (exampleOf(schema) as Json)), ...example } } } }
}

/** Every refusal: those of all operations, those that follow from what this one takes, and those named. */
function refusalsOf({ responses, security = [], requestBody, parameters }: Operation, path: string, named: Code[]): Record<string, Json> {
  const codes: Code[] = ['bad_request', 'internal_error', 'rate_limited', 'overloaded', 'upstream_unavailable', 'upstream_timeout']
  if (security.length > 0) codes.push('unauthenticated', 'token_expired', 'token_invalid', 'token_revoked', 'forbidden')
  if (path.includes('{')) codes.push('not_found')
  if (requestBody || parameters) codes.push('validation_failed')
  if (requestBody) codes.push('malformed_json', 'unsupported_media_type', 'body_too_large')
  const refusals: Record<string, Json> = {}
  for (const [status, group] of problemsOf([...codes, ...named])) {
    if (responses[status]) continue
    const header = status === '401' ? 'WWW-Authenticate' : ['429', '503'].includes(status) ? 'Retry-After' : undefined
    refusals[status] = {
      description: group.map(({ code, title }) => `\`${code}\`: ${title}`).join('; '),
      ...(header && { headers: { [header]: answerHeaders[header] } }),
      content: problemContent(group, Number(status), path)
    }
  }
  return refusals
}

const problemContent = (codes: { code: string; title: string }[], status: number, instance: string) => ({
  'application/problem+json': {
    schema: { $ref: '#/components/schemas/Problem' },
    examples: Object.fromEntries(codes.map(({ code, title }) => [code, { value: problemExample(code, title, status, instance) }]))
  }
})

const problemExample = (code: string, title: string, status: number, instance: string) => ({
  type: `/problems/${code}`,
  title,
  status,
  detail: title,
  instance,
  code,
  requestId: '0b5c2f3e',
  ...(code === 'validation_failed' && { errors: [{ path: '/limit', message: 'must be from 1 to 100' }] })
})

const text = (description: string, example: string) => ({ type: 'string', description, example })
/** The body of every problem. */
export const problemSchema = {
  type: 'object',
  description: 'RFC 9457 problem details',
  required: ['type', 'title', 'status', 'detail', 'instance', 'code', 'requestId'],
  properties: {
    type: text('A page that explains the code', '/problems/slot_taken'),
    title: text('What the code means', 'Somebody else has this slot'),
    status: { type: 'integer', description: 'The HTTP status', example: 409 },
    detail: text('What is wrong this time', 'Somebody else has this slot'),
    instance: text('The path asked for', '/v1/appointments'),
    code: text('Stable name of the problem', 'slot_taken'),
    requestId: text('Also in `X-Request-Id` and in the logs', '0b5c2f3e'),
    errors: {
      type: 'array',
      description: 'What is wrong with which field',
      items: {
        type: 'object',
        required: ['path', 'message'],
        properties: { path: text('JSON pointer', '/limit'), message: text('What is wrong', 'must be from 1 to 100') }
      }
    }
  }
}
