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
