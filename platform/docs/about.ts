import type { Code } from '../http/problem.ts'

/** What a route says of its operation that neither its schemas nor its checks say. */
export type About = {
  summary: string
  /** What the summary leaves open: rules, limits, units, who else is told, when it is refused. */
  description: string
  tags?: string[]
  /** What the answer is where all went well. */
  answer?: string
  /** What is different in the example of the answer from the examples of its fields; undefined: it is not there. */
  example?: Record<string, unknown>
  /** An answer that is text and no JSON. */
  text?: { type: string; example: string }
  /** The problems that it can meet beside those of all operations. */
  problems?: Code[]
  /** Request headers with a meaning. */
  takes?: (keyof typeof requestHeaders)[]
  /** Headers of the answer with a meaning. */
  gives?: (keyof typeof answerHeaders)[]
}

/** What `about` leaves for the document, beside what OpenAPI has a place for. */
export type Rest = Omit<About, 'summary' | 'description' | 'tags'>

/** The words of an operation, for the `detail` of its route. */
export const about = ({ summary, description, tags, ...rest }: About): object => ({
  summary,
  description,
  ...(tags && { tags }),
  'x-about': rest satisfies Rest
})

/** Request headers, as documents describe them. */
export const requestHeaders = {
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

/** Headers of answers, as documents describe them. */
export const answerHeaders = {
  ETag: {
    description: 'Names this state of what is answered: for `If-Match` of a change, or `If-None-Match` of the next question.',
    schema: { type: 'string' },
    example: '"3"'
  },
  Location: {
    description: 'The path of what was made.',
    schema: { type: 'string' },
    example: '/v1/appointments/019b1a2c-0f3e-7b58-a1c6-94d2e7b30c35'
  },
  'Idempotency-Replayed': {
    description: '`true` where this is the answer that the same `Idempotency-Key` got before; nothing happened again.',
    schema: { type: 'string', enum: ['true'] },
    example: 'true'
  },
  'Retry-After': {
    description: 'After so many seconds it may go better.',
    schema: { type: 'integer', minimum: 1 },
    example: 2
  },
  'WWW-Authenticate': {
    description: 'The scheme, and what is wrong with the token that was sent.',
    schema: { type: 'string' },
    example: 'Bearer error="invalid_token", error_description="token_expired"'
  }
}
