/** One answer of the API. */
export type Answer<Body> = { status: number; body: Body; headers: Headers; ms: number }
/** What a call may carry. */
export type CallOptions = { token?: string; body?: unknown; headers?: Record<string, string> }
/** A client of the public API, from outside: what it knows is in `api.md`. */
export type Client = {
  /** Makes a call and gives whatever comes back. */
  call: <Body = Record<string, unknown>>(method: string, path: string, options?: CallOptions) => Promise<Answer<Body>>
  /** Makes a call and gives the body. Throws with status and code where it is refused. */
  want: <Body = Record<string, unknown>>(method: string, path: string, options?: CallOptions) => Promise<Body>
}

const TRIES = 12
const TIMEOUT_MS = 20_000

/** A call was refused. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string | undefined,
    call: string,
    detail: unknown
  ) {
    super(`${call} answered ${status} ${code ?? ''} ${detail ?? ''}`.trim())
  }
}

/** A client that waits and tries again when it is told to (429 and 503 with `Retry-After`). */
export function clientOf(base: string): Client {
  const call: Client['call'] = async <Body>(method: string, path: string, { token, body, headers }: CallOptions = {}) => {
    for (let tries = 1; ; tries++) {
      const since = performance.now()
      const response = await fetch(`${base}${path}`, {
        method,
        headers: {
          accept: 'application/json',
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(token && { authorization: `Bearer ${token}` }),
          ...headers
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(TIMEOUT_MS)
      })
      const text = await response.text()
      const retryAfter = Number(response.headers.get('retry-after'))
      if ([429, 503].includes(response.status) && retryAfter > 0 && retryAfter <= 60 && tries < TRIES) {
        await Bun.sleep(retryAfter * 1_000)
        continue
      }
      const answer = isJson(response) && text ? JSON.parse(text) : text
      return { status: response.status, body: answer as Body, headers: response.headers, ms: performance.now() - since }
    }
  }
  const want: Client['want'] = async <Body>(method: string, path: string, options?: CallOptions) => {
    const { status, body } = await call<Body & { code?: string; detail?: string; errors?: unknown }>(method, path, options)
    if (status >= 400) throw new Refused(status, body.code, `${method} ${path}`, body.errors ? JSON.stringify(body.errors) : body.detail)
    return body
  }
  return { call, want }
}

const isJson = (response: Response) => /\bjson\b/.test(response.headers.get('content-type') ?? '')

const KNOWN_WITHIN_MS = 15_000

/** Tries again while the answer is 403 or 404: what one service did reaches another by an event, a moment later. */
export async function onceKnown<T>(call: () => Promise<T>): Promise<T> {
  for (const deadline = Date.now() + KNOWN_WITHIN_MS; ; await Bun.sleep(100)) {
    try {
      return await call()
    } catch (error) {
      if (!(error instanceof Refused) || ![403, 404].includes(error.status) || Date.now() > deadline) throw error
    }
  }
}
