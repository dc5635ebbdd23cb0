import type { Role } from './caller.ts'
import { problemsOf } from './problem.ts'

/** A JSON object, as far as documents care. */
export type Json = { [name: string]: unknown }
/** An operation of an OpenAPI document, with what our routes say of it beside. */
export type Operation = Json & {
  responses: Record<string, Json>
  security?: unknown[]
  requestBody?: Json
  parameters?: Json[]
  'x-problems'?: string[]
  'x-headers'?: string[]
  'x-roles'?: Role[]
}

/** Request headers with a meaning of ours, as documents describe them. */
const requestHeaders: Record<string, Json> = {
  'Idempotency-Key': {
    description:
      'A name that you choose for this change (1 to 255 visible ASCII): sent again with the same body it answers the first result, for 24 h.',
    schema: { type: 'string', minLength: 1, maxLength: 255 },
    example: 'b2f6d0c4-6f0e-4e63-9d8e-1a0f6b1c7d55'
  },
  'If-Match': {
    description: 'The `ETag` that you have read: where the appointment has changed since, nothing happens (412).',
    schema: { type: 'string' },
    example: '"3"'
  },
  'If-None-Match': {
    description: 'The `ETag` that you have: where nothing changed the answer is 304, without a body.',
    schema: { type: 'string' },
    example: '"1q2w3e"'
  }
}

/**
 * Completes an operation in place: its id, who may call it (`roles`: null for everybody without a token, none for any with one), its headers, and every
 * answer that it can give.
 */
export function describe(operation: Operation, method: string, path: string, roles: readonly Role[] | null): void {
  const open = roles === null
  operation.security = open ? [] : [{ bearer: [] }]
  if (roles && roles.length > 0) operation['x-roles'] = [...roles]
  const headers = (operation['x-headers'] ?? []).map((name) => ({ name, in: 'header', required: false, ...requestHeaders[name] }))
  if (headers.length > 0) operation.parameters = [...(operation.parameters ?? []), ...headers]
  delete operation['x-headers']
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
/** The body of every problem. */
export const problemSchema = {
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
