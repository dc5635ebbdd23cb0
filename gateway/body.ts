import { MAX_BODY } from '#platform/http'
import { Problem } from '#platform/problem'

/** For refusals after which a connection cannot be trusted to be at the start of a request. */
export const CLOSE = { headers: { connection: 'close' } }

/** Whether a request has a body, by its framing. */
const hasBody = (headers: Headers): boolean => {
  const length = headers.get('content-length')
  return length === null ? headers.has('transfer-encoding') : length !== '0'
}

/** Reads a body whole, at most 64 KiB. Throws `unsupported_media_type`, `body_too_large`, or `bad_request` where it does not come within `patienceMs`. */
export async function readBody(request: Request, patienceMs: number): Promise<Uint8Array | undefined> {
  if (request.method === 'GET' || request.method === 'HEAD' || !hasBody(request.headers)) return undefined
  const length = request.headers.get('content-length')
  if (length !== null && !(Number(length) <= MAX_BODY)) throw new Problem('body_too_large', undefined, CLOSE)
  if (!isJson(request.headers.get('content-type'))) throw new Problem('unsupported_media_type', undefined, CLOSE)
  let timer: Timer | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Problem('bad_request', 'The body did not come in time', CLOSE)), patienceMs)
  })
  try {
    return await Promise.race([length === null ? readChunks(request) : request.bytes(), late])
  } catch (error) {
    throw error instanceof Problem ? error : new Problem('bad_request', 'The body did not come whole', CLOSE)
  } finally {
    clearTimeout(timer)
  }
}

const isJson = (type: string | null): boolean =>
  type === 'application/json' || type?.split(';')[0]?.trim().toLowerCase() === 'application/json'

async function readChunks(request: Request): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body ?? []) {
    size += chunk.length
    if (size > MAX_BODY) throw new Problem('body_too_large', undefined, CLOSE)
    chunks.push(chunk)
  }
  // what follows the last chunk is read after it: where that is rubbish, Bun ends the connection
  await new Promise((resolve) => setImmediate(resolve))
  if (request.signal.aborted) throw new Error('the body did not end well')
  return size > 0 ? Buffer.concat(chunks) : undefined
}
