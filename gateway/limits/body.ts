import { CLOSE, isJson, isTooLarge, readChunks, refuseDeep } from '#platform/http/body'
import { Problem } from '#platform/http/problem'

/** Throws `body_too_large` where a request says that its body is. */
export function refuseLarge(headers: Headers): undefined {
  if (isTooLarge(headers)) throw new Problem('body_too_large', undefined, CLOSE)
}

/** Whether a request has a body, by its framing. */
const hasBody = (headers: Headers): boolean => {
  const length = headers.get('content-length')
  return length === null ? headers.has('transfer-encoding') : length !== '0'
}

/**
 * Reads a body whole, at most 64 KiB; of GET and HEAD none is read. Throws `unsupported_media_type`, `body_too_large`, `malformed_json` where it is
 * nested too deep, or `bad_request` where it does not come within `patienceMs` or its length is none.
 */
export async function readBody(request: Request, patienceMs: number): Promise<Uint8Array | undefined> {
  const { headers, method } = request
  refuseLarge(headers)
  if (method === 'GET' || method === 'HEAD' || !hasBody(headers)) return undefined
  const length = headers.get('content-length')
  // two equal ones arrive as a list
  if (length !== null && !/^\d+$/.test(length)) throw new Problem('bad_request', 'The length of the body is none', CLOSE)
  if (!isJson(headers.get('content-type'))) throw new Problem('unsupported_media_type', undefined, CLOSE)
  let timer: Timer | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Problem('bad_request', 'The body did not come in time', CLOSE)), patienceMs)
  })
  try {
    const body = await Promise.race([length === null ? readToEnd(request) : request.bytes(), late])
    if (body) refuseDeep(body)
    return body
  } catch (error) {
    throw error instanceof Problem ? error : new Problem('bad_request', 'The body did not come whole', CLOSE)
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Whether the connection ends with the answer. Bun takes a chunked body for complete before the empty line at its end came: what comes in place of
 * that line must get no answer of its own. Of a call that is refused, nobody waits for a large body, or for one that may never be sent.
 */
export const endsConnection = (headers: Headers, isRefused: boolean): boolean =>
  headers.has('transfer-encoding') || (isRefused && (isTooLarge(headers) || headers.has('expect')))

async function readToEnd(request: Request): Promise<Uint8Array | undefined> {
  const body = await readChunks(request)
  // what follows the last chunk is read after it: where that is rubbish, Bun ends the connection
  await new Promise((resolve) => setImmediate(resolve))
  if (request.signal.aborted) throw new Error('the body did not end well')
  return body.length > 0 ? body : undefined
}
