import { Problem } from './problem.ts'

/** The largest body that is read, in bytes. */
export const MAX_BODY = 64 * 1024

/** For refusals after which a connection cannot be trusted to be at the start of a request, or nobody waits for what is still to come. */
export const CLOSE = { headers: { connection: 'close' } }

/**
 * The limit of Bun itself, which would answer 413 without a word of why: none, since what is too large is refused here before it is read.
 * What nobody reads stays in the socket of its client, and fills no memory.
 */
export const maxRequestBodySize = Number.MAX_SAFE_INTEGER

/** Whether a request says that its body is larger than is read. */
export const isTooLarge = (headers: Headers): boolean => Number(headers.get('content-length')) > MAX_BODY

/** Reads a body that comes in chunks whole. Throws `body_too_large` as soon as it is. */
export async function readChunks(request: Request): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body ?? []) {
    size += chunk.length
    if (size > MAX_BODY) throw new Problem('body_too_large', undefined, CLOSE)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** How deep lists and objects of a body may be nested. */
export const MAX_DEPTH = 64
const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d]

/**
 * Throws `malformed_json` where a body is nested deeper than `MAX_DEPTH`. It must come before anything that walks the body: parsers and validators
 * recurse, and some of them need time that grows with the square of the depth. One pass over the bytes, without a stack.
 */
export function refuseDeep(body: Uint8Array): void {
  if (body.length <= MAX_DEPTH) return
  let depth = 0
  let isInString = false
  for (let at = 0; at < body.length; at++) {
    const byte = body[at]
    if (isInString) {
      if (byte === BACKSLASH) at++
      else if (byte === QUOTE) isInString = false
    } else if (byte === QUOTE) isInString = true
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      if (++depth > MAX_DEPTH) throw new Problem('malformed_json', `The body is nested deeper than ${MAX_DEPTH} levels`)
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth--
  }
}

/** Whether a media type is JSON. Media types are compared without regard to case, and parameters do not matter. */
export const isJson = (type: string | null): boolean =>
  type === 'application/json' || type?.split(';', 1)[0]?.trim().toLowerCase() === 'application/json'
