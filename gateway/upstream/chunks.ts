/** Where a reader of a chunked body stands; `left` are the bytes of the chunk at hand that are still to come. */
export type Chunks = { phase: 'size' | 'data' | 'end' | 'trailer' | 'done'; left: number; line: string }

/** At the start of a chunked body. */
export const beforeChunks = (): Chunks => ({ phase: 'size', left: 0, line: '' })

const LONGEST_LINE = 4_096

/** Reads on in a chunked body (RFC 9112, 7.1): gives its pieces to `emit`; the result is how many bytes were of it. Throws where it is malformed. */
export function readChunks(chunks: Chunks, bytes: Buffer, emit: (piece: Buffer) => void): number {
  let at = 0
  while (at < bytes.length && chunks.phase !== 'done') {
    if (chunks.phase === 'data') {
      const piece = bytes.subarray(at, at + chunks.left)
      emit(piece)
      at += piece.length
      chunks.left -= piece.length
      if (chunks.left === 0) chunks.phase = 'end'
      continue
    }
    const end = bytes.indexOf(10, at)
    chunks.line += bytes.toString('latin1', at, end < 0 ? bytes.length : end + 1)
    if (chunks.line.length > LONGEST_LINE) throw new Error('a line of a chunked body is too long')
    if (chunks.phase === 'end' && !'\r\n'.startsWith(chunks.line)) throw new Error('a chunk is longer than it says')
    if (end < 0) return bytes.length
    at = end + 1
    if (!chunks.line.endsWith('\r\n')) throw new Error('a line of a chunked body does not end in CRLF')
    const line = chunks.line.slice(0, -2)
    chunks.line = ''
    afterLine(chunks, line)
  }
  return at
}

function afterLine(chunks: Chunks, line: string): void {
  if (chunks.phase === 'trailer') {
    if (line === '') chunks.phase = 'done'
    return
  }
  if (chunks.phase === 'end') {
    chunks.phase = 'size'
    return
  }
  if (!/^[0-9a-f]{1,8}(?:[ \t]*;.*)?$/i.test(line)) throw new Error('the size of a chunk is none')
  chunks.left = Number.parseInt(line, 16)
  chunks.phase = chunks.left === 0 ? 'trailer' : 'data'
}
