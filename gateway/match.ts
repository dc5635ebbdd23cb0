import type { Route } from './routes.ts'

/** A known path: what it does by method (HEAD goes with GET), and the methods as `Allow` says them. */
export type Endpoint = { path: string; methods: Map<string, Route>; allow: string }

type Node = { words: Map<string, Node>; any: Node | undefined; endpoint: Endpoint | undefined }
const node = (): Node => ({ words: new Map(), any: undefined, endpoint: undefined })

/** The longest path and query that is taken, in characters. */
export const MAX_TARGET = 4_096

/** Compiles a table of routes; the result finds the endpoint of a path. A word of a path goes before a parameter. */
export function matcherOf(routes: Route[]): (path: string) => Endpoint | undefined {
  const root = node()
  const fixed = new Map<string, Endpoint>()
  for (const route of routes) {
    let at = root
    for (const part of route.path.slice(1).split('/')) {
      if (part.startsWith(':')) {
        at.any ??= node()
        at = at.any
      } else {
        const next = at.words.get(part) ?? node()
        at.words.set(part, next)
        at = next
      }
    }
    at.endpoint ??= { path: route.path, methods: new Map(), allow: '' }
    at.endpoint.methods.set(route.method, route)
    if (route.method === 'GET') at.endpoint.methods.set('HEAD', route)
    at.endpoint.allow = [...at.endpoint.methods.keys(), 'OPTIONS'].join(', ')
    if (!route.path.includes(':')) fixed.set(route.path, at.endpoint)
  }
  return (path) => fixed.get(path) ?? find(root, path.split('/'), 1)
}

function find(at: Node, parts: string[], index: number): Endpoint | undefined {
  if (index === parts.length) return at.endpoint
  const part = parts[index] as string
  const word = at.words.get(part)
  const found = word && find(word, parts, index + 1)
  if (found || !at.any || !isValue(part)) return found
  return find(at.any, parts, index + 1)
}

/** What may stand for a parameter: nothing that anybody could read as more than one word. */
const isValue = (part: string): boolean => /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/.test(part)

/** The path and the query (with its question mark) that a request names; undefined where its `Host` or target is not sane. */
export function targetOf(url: string): { path: string; query: string } | undefined {
  // with a Host that is none, Bun gives the bare path: such a request is refused
  if (!url.startsWith('http')) return undefined
  const start = url.indexOf('/', url.charCodeAt(4) === 115 ? 8 : 7)
  if (start < 0 || url.length - start > MAX_TARGET) return undefined
  const mark = url.indexOf('?', start)
  const path = mark < 0 ? url.slice(start) : url.slice(start, mark)
  const query = mark < 0 ? '' : url.slice(mark)
  // dot segments are gone already; what is encoded, doubled or a fragment has no place in a path of ours
  if (/[^A-Za-z0-9/._~:@!$&'()*+,;=-]|\/\//.test(path) || /[^\x21\x22\x24-\x7e]/.test(query)) return undefined
  return { path, query }
}
