import { TypeGuard } from '@sinclair/typebox'
import { type AnyElysia, Elysia } from 'elysia'
import packageJson from '../../package.json' with { type: 'json' }
import { rolesOf } from '../identity/caller.ts'
import type { Json } from './example.ts'
import { describe, type Operation, problemSchema } from './operation.ts'

/** Where a process shows its OpenAPI document. */
const PATH = '/docs/json'

/**
 * Serves the OpenAPI document of an app at `/docs/json`, made by @elysiajs/swagger and repaired: every answer described, one media type, null and
 * literals as OpenAPI 3.0 writes them; who may call as the app checks it (`security` and `x-roles`); and what `about` says of each route.
 */
export const docs =
  (title: string, description: string) =>
  <App extends AnyElysia>(app: App): App => {
    let document: Promise<Json> | undefined
    app.use(
      new Elysia({ name: 'docs', seed: title, detail: { hide: true } }).get(PATH, () => {
        document ??= documentOf(app, title, description).catch((error) => {
          // the next who asks may have more luck
          document = undefined
          throw error
        })
        return document
      })
    )
    return app
  }

/** Made when it is first asked for: what makes it takes 6 MB, which a process that nobody asks does without. */
async function documentOf(app: AnyElysia, title: string, description: string): Promise<Json> {
  const { swagger } = await import('@elysiajs/swagger')
  const paths = { path: '/docs/page', specPath: '/docs/spec' }
  const documentation = {
    servers: [{ url: '/' }],
    info: {
      title: `Health&Med: ${title}`,
      description,
      version: packageJson.version,
      license: { name: 'MIT', url: 'https://opensource.org/license/mit' }
    }
  }
  const described = new Elysia().use(app).use(swagger({ ...paths, excludeStaticFile: false, exclude: Object.values(paths), documentation }))
  return repaired((await (await described.handle(new Request(`http://localhost${paths.specPath}`))).json()) as Json, app)
}

function repaired(document: Json, app: AnyElysia): Json {
  const routes = new Map(app.routes.map((route) => [`${route.method} ${route.path}`, route]))
  const result = cleaned(document) as Json
  for (const [path, operations] of Object.entries(result.paths as Record<string, Record<string, Operation>>)) {
    for (const [method, operation] of Object.entries(operations)) {
      const route = routes.get(`${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`)
      const isBodyOptional = isOptional(route?.hooks.body)
      describe(operation, { method, path, roles: route ? rolesOf(route) : null, isBodyOptional })
    }
  }
  const asksForToken = JSON.stringify(result.paths).includes('"bearer":[]')
  result.components = { schemas: { Problem: problemSchema }, ...(asksForToken && { securitySchemes: { bearer } }) }
  return result
}

/** Whether a body may be left out, see `OptionalBody`. */
const isOptional = (body: unknown) => TypeGuard.IsUnion(body) && body.anyOf.some(TypeGuard.IsUndefined)

const bearer = { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'The `accessToken` of `POST /v1/auth/login`.' }

const dropped = new Set(['$id', 'error', 'path', 'additionalItems'])

/** JSON Schema as the type library writes it, as OpenAPI 3.0 reads it. */
function cleaned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(cleaned)
  if (value === null || typeof value !== 'object') return value
  const source = value as Json
  if (Array.isArray(source.anyOf)) return cleanedUnion(source, source.anyOf as Json[])
  const result: Json = {}
  for (const [name, inner] of Object.entries(source)) {
    // the plugin names what a schema could have had as undefined
    if (dropped.has(name) || inner === undefined) continue
    if (name === 'x-about') result[name] = inner
    else if (name === 'const') result.enum = [inner]
    else if (name === 'examples' && Array.isArray(inner)) result.example = inner[0]
    // names of fields, of which any may be a word with a meaning elsewhere
    else if (name === 'properties')
      result.properties = Object.fromEntries(Object.entries(inner as Json).map(([field, schema]) => [field, cleaned(schema)]))
    else if (name === 'patternProperties') result.additionalProperties = true
    else if (name === 'content') Object.assign(result, oneMediaType(inner as Json | undefined))
    else result[name] = cleaned(inner)
  }
  return result
}

function cleanedUnion({ anyOf: _, ...rest }: Json, members: Json[]): unknown {
  const real = members.filter(({ type }) => type !== 'null' && type !== 'undefined')
  const nullable = members.some(({ type }) => type === 'null') ? { nullable: true } : {}
  const others = cleaned(rest) as Json
  if (real.length === 1) return { ...(cleaned(real[0]) as Json), ...others, ...nullable }
  if (real.every((member) => 'const' in member))
    return { ...others, type: real[0]?.type, enum: real.map((member) => member.const), ...nullable }
  return { ...others, anyOf: real.map(cleaned), ...nullable }
}

/** An answer without a body has no media type at all. */
const oneMediaType = (content: Json = {}): Json => {
  const json = (content['application/json'] ?? Object.values(content)[0]) as { schema?: { type?: string } } | undefined
  return json === undefined || json.schema?.type === 'void' ? {} : { content: { 'application/json': cleaned(json) } }
}
