/** The head of an answer: its status, the headers that may pass, and how its body is framed. */
export type Head = {
  status: number
  headers: Record<string, string>
  /** Bytes of the body; `chunked`; or `close`: all until the connection ends. */
  framing: number | 'chunked' | 'close'
  /** Whether the connection serves another call after this one. */
  stays: boolean
}

/** What passes from a service to a client. */
const passed = [
  'content-type',
  'content-encoding',
  'content-language',
  'content-disposition',
  'etag',
  'last-modified',
  'location',
  'retry-after',
  'cache-control',
  'www-authenticate',
  'allow',
  'idempotency-replayed',
  'vary',
  'link'
] as const

/** Those, and what says how an answer is framed, by their length: all other headers are skipped without a string being made of them. */
const known = Map.groupBy([...passed, 'content-length', 'transfer-encoding', 'connection'] as const, ({ length }) => length)

/**
 * The header that tells a client who asked HEAD how the answer to GET is framed. Bun would tell `content-length: 0` of an answer without a body,
 * and writes what is named here instead.
 */
export const framingOf = ({ framing, status }: Head): Record<string, string> => {
  if (status === 204 || status === 304) return {}
  return typeof framing === 'number' ? { 'content-length': String(framing) } : { 'transfer-encoding': 'chunked' }
}

/** Reads the head of an answer, without the empty line at its end. Throws where it is none that can be trusted. */
export function readHead(text: string): Head {
  const first = text.indexOf('\r\n')
  const line = first < 0 ? text : text.slice(0, first)
  const status = Number(line.slice(9, 12))
  if (!line.startsWith('HTTP/1.') || !(status >= 100 && status <= 599)) throw new Error('the answer is no HTTP')
  const head: Head = { status, headers: {}, framing: 'close', stays: line.charCodeAt(7) === 49 }
  for (let at = first; at >= 0 && at < text.length; ) {
    const next = text.indexOf('\r\n', at + 2)
    takeHeader(head, text, at + 2, next < 0 ? text.length : next)
    at = next
  }
  return head
}

function takeHeader(head: Head, text: string, start: number, end: number): void {
  const colon = text.indexOf(':', start)
  if (colon <= start || colon >= end) throw new Error('a header of the answer has no name')
  const name = known.get(colon - start)?.find((one) => isNamed(text, start, one))
  if (!name) return
  const value = text.slice(colon + 1, end).trim()
  if (name === 'content-length') {
    if (!/^\d{1,15}$/.test(value) || (typeof head.framing === 'number' && head.framing !== Number(value)))
      throw new Error('the length of the answer is none')
    if (head.framing !== 'chunked') head.framing = Number(value)
  } else if (name === 'transfer-encoding') {
    if (value.toLowerCase() !== 'chunked') throw new Error('the answer is framed in an unknown way')
    head.framing = 'chunked'
  } else if (name === 'connection') {
    if (value.toLowerCase() === 'close') head.stays = false
  } else head.headers[name] = head.headers[name] === undefined ? value : `${head.headers[name]}, ${value}`
}

/** Whether a header begins here with this name, in whatever case. */
function isNamed(text: string, start: number, name: string): boolean {
  for (let at = 0; at < name.length; at++) {
    const code = text.charCodeAt(start + at)
    if ((code >= 65 && code <= 90 ? code + 32 : code) !== name.charCodeAt(at)) return false
  }
  return true
}
