/** Every refusal that a client can meet: its status and what it says when nothing more exact is known. RFC 9457. */
const catalog = {
  malformed_json: [400, 'The body is not valid JSON'],
  bad_request: [400, 'The request could not be understood'],
  unauthenticated: [401, 'A bearer token is needed'],
  token_expired: [401, 'The access token has expired'],
  token_revoked: [401, 'The session of this token has ended'],
  token_invalid: [401, 'The token is not valid'],
  mail_token_invalid: [400, 'The token is unknown, used or expired'],
  refresh_reused: [401, 'The refresh token was used before; its session has ended'],
  invalid_credentials: [401, 'The identifier or the password is wrong'],
  mfa_invalid: [401, 'The code is wrong or was used before'],
  forbidden: [403, 'Your role may not do this'],
  email_not_verified: [403, 'Verify your e-mail address first'],
  mfa_enrolment_required: [403, 'Your role needs a second factor; enrol one first'],
  account_disabled: [403, 'This account is disabled'],
  not_found: [404, 'There is nothing here'],
  doctor_not_found: [404, 'There is no such doctor'],
  appointment_not_found: [404, 'There is no such appointment'],
  method_not_allowed: [405, 'This path does not know that method'],
  email_taken: [409, 'There is an account with this e-mail address'],
  cpf_taken: [409, 'There is an account with this CPF'],
  crm_taken: [409, 'There is an account with this CRM'],
  slot_taken: [409, 'Somebody else has this slot'],
  patient_conflict: [409, 'The patient has another appointment at this time'],
  invalid_transition: [409, 'The appointment is in a state that does not allow this'],
  too_late: [409, 'The time for this has passed'],
  hold_expired: [409, 'The hold has expired'],
  hold_limit: [409, 'You hold a slot already'],
  booking_limit: [409, 'You have too many open appointments'],
  idempotency_in_progress: [409, 'The first request with this key is still running'],
  conflict: [409, 'The state of the resource does not allow this'],
  version_conflict: [412, 'The appointment has changed since the version you named'],
  body_too_large: [413, 'The body may have at most 64 KiB'],
  unsupported_media_type: [415, 'Send application/json'],
  validation_failed: [422, 'Some fields are not valid'],
  weak_password: [422, 'The password is too easy to guess'],
  invalid_cpf: [422, 'This is not a valid CPF'],
  invalid_crm: [422, 'This is not a valid CRM'],
  schedule_overlap: [422, 'Two windows of the schedule overlap'],
  invalid_window: [422, 'A window must end after it starts'],
  invalid_timezone: [422, 'This is not an IANA time zone'],
  range_too_long: [422, 'The range is too long'],
  slot_unavailable: [422, 'The doctor does not offer this slot'],
  idempotency_key_reused: [422, 'This key was used with another body'],
  rate_limited: [429, 'Too many requests'],
  too_many_attempts: [429, 'Too many failed attempts'],
  internal_error: [500, 'Something went wrong on our side'],
  upstream_unavailable: [503, 'The service cannot be reached at the moment'],
  overloaded: [503, 'Too much work at the moment'],
  upstream_timeout: [504, 'The service took too long to answer']
} as const satisfies Record<string, readonly [number, string]>

/** A stable name of a refusal. `mail_token_invalid` leaves as `token_invalid`: the contract uses that word at 400 and at 401. */
export type Code = keyof typeof catalog
/** One bad field: a JSON pointer to it and what is wrong. */
export type FieldError = { path: string; message: string }
type More = { errors?: FieldError[]; headers?: Record<string, string>; retryAfter?: number }

/** A refusal. Thrown anywhere, turned into an answer by the one handler in `http.ts`. `retryAfter` is in seconds. */
export class Problem extends Error {
  readonly status: number
  readonly errors: FieldError[] | undefined
  readonly headers: Record<string, string>

  constructor(
    readonly code: Code,
    detail?: string,
    more: More = {}
  ) {
    super(detail ?? catalog[code][1])
    this.status = catalog[code][0]
    this.errors = more.errors
    this.headers = {
      ...(this.status === 401 && { 'www-authenticate': challenge(code) }),
      ...(more.retryAfter !== undefined && { 'retry-after': String(Math.max(1, Math.ceil(more.retryAfter))) }),
      ...more.headers
    }
  }
}

const challenge = (code: Code) => (code.startsWith('token_') ? `Bearer error="invalid_token", error_description="${code}"` : 'Bearer')

/** Whether a word, say the name of a violated constraint, is the code of a problem. */
export const isCode = (word: string | undefined): word is Code => word !== undefined && Object.hasOwn(catalog, word)

/** The codes with status and title, for the documentation. `key` is unique where two problems share a public code. */
export const problemCatalog = Object.entries(catalog).map(([key, [status, title]]) => ({
  key: key as Code,
  code: publicCode(key),
  status,
  title
}))

/** Codes grouped by their status, for the documentation. Throws where a code is unknown: documentation may not invent. */
export function problemsOf(codes: string[]): Map<string, { code: string; title: string }[]> {
  const groups = new Map<string, { code: string; title: string }[]>()
  for (const word of new Set(codes)) {
    if (!isCode(word)) throw new Error(`${word} is not the code of a problem`)
    const [status, title] = catalog[word]
    const group = groups.get(String(status)) ?? []
    groups.set(String(status), [...group, { code: publicCode(word), title }])
  }
  return groups
}

function publicCode(code: string): string {
  return code === 'mail_token_invalid' ? 'token_invalid' : code
}

/** The body of the answer, RFC 9457: `instance` is the path asked for, without its query. */
export function problemBody(problem: Problem, instance: string, requestId: string) {
  const code = publicCode(problem.code)
  return {
    type: `/problems/${code}`,
    title: catalog[problem.code][1],
    status: problem.status,
    detail: problem.message,
    instance,
    code,
    requestId,
    ...(problem.errors && { errors: problem.errors })
  }
}
