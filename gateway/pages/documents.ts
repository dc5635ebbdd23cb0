import { type AnyElysia, Elysia } from 'elysia'
import { Problem } from '#platform/http/problem'
import { routes, type Service, services } from '../routes.ts'
import type { Upstream } from '../upstream/upstreams.ts'
import { bookable, withLiveExamples } from './examples.ts'
import { escaped, page } from './html.ts'

type Json = Record<string, unknown>
/** An OpenAPI document, as far as it is taken apart here. */
export type Document = Json & { paths: Record<string, Json>; info: Json; components?: { schemas?: Json; securitySchemes?: Json } }

const names = ['gateway', ...services] as const
type Name = (typeof names)[number]
const title = (name: string) => `${name[0]?.toUpperCase()}${name.slice(1)}`
const isName = (word: string): word is Name => (names as readonly string[]).includes(word)

const REMEMBER_MS = 10_000
const ASK_MS = 3_000

/** The documents: `/docs` (one page for all), `/docs/{service}`, `/docs/{service}/json` and `/docs/json`, all in one. `own` serves the gateway's. */
export function documents(upstreams: Record<Service, Upstream>, own: AnyElysia) {
  const remembered = new Map<Name, { document: Document; until: number }>()
  const read = async (name: Name): Promise<Document> => {
    const known = remembered.get(name)
    if (known && known.until > Date.now()) return known.document
    const described = name === 'gateway' ? await ownDocument(own) : publicOnly(await ask(upstreams[name]), name)
    const document = withLiveExamples(described, Temporal.Now.plainDateISO('UTC'), await bookable(upstreams.scheduling))
    remembered.set(name, { document, until: Date.now() + REMEMBER_MS })
    return document
  }
  return new Elysia({ name: 'documents', detail: { hide: true } })
    .get('/docs', () => docsPage('everything'))
    .get('/docs/json', async () => {
      // one that is away leaves the others readable
      const all = await Promise.all(names.map((name) => read(name).catch(() => undefined)))
      return merged(all.filter((document) => document !== undefined))
    })
    .get('/docs/:service', ({ params }) => {
      if (!isName(params.service)) throw new Problem('not_found')
      return docsPage(params.service)
    })
    .get('/docs/:service/json', ({ params }) => {
      if (!isName(params.service)) throw new Problem('not_found')
      return read(params.service)
    })
}

const ownDocument = async (own: AnyElysia) => (await (await own.handle(new Request('http://localhost/docs/json'))).json()) as Document

async function ask(upstream: Upstream): Promise<Document> {
  const replica = upstream.pick()
  try {
    const answer = await fetch(`${replica?.url}/docs/json`, { signal: AbortSignal.timeout(ASK_MS) })
    if (answer.ok) return (await answer.json()) as Document
  } catch {
    // said below, in the same words as for any call
  }
  throw new Problem('upstream_unavailable', undefined, { retryAfter: 2 })
}

/** What cannot be reached through the gateway is not shown either. */
function publicOnly(document: Document, service: Service): Document {
  const known = new Set(routes.filter((route) => route.service === service).map(({ method, path }) => `${method} ${path}`))
  const paths: Document['paths'] = {}
  for (const [path, operations] of Object.entries(document.paths)) {
    const pattern = path.replace(/\{(\w+)\}/g, ':$1')
    const shown = Object.entries(operations).filter(([method]) => known.has(`${method.toUpperCase()} ${pattern}`))
    if (shown.length > 0) paths[path] = Object.fromEntries(shown)
  }
  return { ...document, paths, servers: [{ url: '/' }] }
}

function merged(all: Document[]): Document {
  const [first] = all as [Document]
  return {
    ...first,
    info: { ...first.info, title: 'Health&Med', description: 'Every call of the gateway, auth, scheduling and notifier in one document.' },
    servers: [{ url: '/' }],
    paths: Object.assign({}, ...all.map(({ paths }) => paths)),
    components: {
      schemas: Object.assign({}, ...all.map(({ components }) => components?.schemas)),
      securitySchemes: Object.assign({}, ...all.map(({ components }) => components?.securitySchemes))
    }
  }
}

const everything = { name: 'Everything', url: '/docs/json' }
const choices = [everything, ...names.map((name) => ({ name: title(name), url: `/docs/${name}/json` }))]

function docsPage(first: Name | 'everything'): Response {
  const settings = escaped(JSON.stringify({ documents: choices, first: title(first) }))
  return page({
    title: 'API documents · Health&Med',
    bare: true,
    styles: ['swagger-ui.css', 'docs.css'],
    scripts: ['swagger-ui-bundle.js', 'swagger-ui-standalone-preset.js', 'docs.js'],
    body: `<div id="swagger-ui" data-settings="${settings}"></div>`
  })
}
