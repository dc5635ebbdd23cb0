import { refuseDeep } from './body.ts'
import { Problem } from './problem.ts'
import { invalid } from './schema.ts'

const utf8 = new TextDecoder()
/** The only way in which JSON can hold a character that no column of text takes: NUL or a surrogate, written as an escape. */
const escapes = /\\u(?:0000|d[89a-f])/i

/**
 * What a body of JSON means. Throws `malformed_json` where it is none or is nested too deep, and `validation_failed` where a text in it holds NUL or
 * half a surrogate pair.
 */
export function readJson(body: Uint8Array): unknown {
  refuseDeep(body)
  const text = utf8.decode(body)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Problem('malformed_json')
  }
  const path = escapes.test(text) ? unstorable(value) : undefined
  if (path !== undefined) throw invalid(path || '/', 'must be Unicode text without the character NUL')
  return value
}

/** Whether no column of text can hold a string: NUL, which PostgreSQL refuses, or half a surrogate pair, which is nothing in UTF-8. */
export const isUnstorable = (text: string): boolean => text.includes('\0') || !text.isWellFormed()

/** The JSON pointer to the first name or text of a value that is unstorable. It keeps its own stack, so that no depth can exhaust the real one. */
export function unstorable(value: unknown): string | undefined {
  const open: [value: unknown, path: string][] = [[value, '']]
  for (let next = open.pop(); next; next = open.pop()) {
    const [inner, path] = next
    if (typeof inner === 'string' && isUnstorable(inner)) return path
    if (inner === null || typeof inner !== 'object') continue
    for (const [name, field] of Object.entries(inner)) {
      if (isUnstorable(name)) return path || '/'
      open.push([field, `${path}/${name}`])
    }
  }
  return undefined
}
