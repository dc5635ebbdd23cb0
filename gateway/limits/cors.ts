/** The origins whose pages may call the API: all (`*`), some, or none (empty). */
export type Cors = ReadonlySet<string>

/** Reads the setting: a comma list of origins, `*` or `none`. */
export const corsOf = (setting: string): Cors => new Set(setting === 'none' ? [] : setting.split(',').map((origin) => origin.trim()))

const ALLOWED = 'authorization, content-type, idempotency-key, if-match, if-none-match, last-event-id, traceparent, x-request-id'
const EXPOSED = 'etag, idempotency-replayed, location, ratelimit, ratelimit-policy, retry-after, x-request-id'

/** Adds what a browser needs to know where the origin of the request is a known one. Tokens are sent by hand: no credentials mode. */
export function withCors(cors: Cors, request: Request, headers: Record<string, string>): void {
  if (cors.size === 0) return
  headers.vary = headers.vary ? `${headers.vary}, Origin` : 'Origin'
  const origin = request.headers.get('origin')
  if (origin === null || !(cors.has('*') || cors.has(origin))) return
  headers['access-control-allow-origin'] = cors.has('*') ? '*' : origin
  headers['access-control-expose-headers'] = EXPOSED
  if (request.method !== 'OPTIONS') return
  headers['access-control-allow-methods'] = headers.allow ?? 'GET'
  headers['access-control-allow-headers'] = ALLOWED
  headers['access-control-max-age'] = '600'
}
