import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Elysia } from 'elysia'
import { Problem } from '#platform/problem'

const own = import.meta.dir
const swagger = dirname(fileURLToPath(import.meta.resolve('swagger-ui-dist/package.json')))

/** The files that pages load, and where each comes from. */
const files: Record<string, string> = {
  'page.css': own,
  'docs.css': own,
  'mark.svg': own,
  'token.js': own,
  'docs.js': own,
  'swagger-ui.css': swagger,
  'swagger-ui-bundle.js': swagger,
  'swagger-ui-standalone-preset.js': swagger
}

type Asset = { bytes: ArrayBuffer; type: string; etag: string }
const loaded = new Map<string, Promise<Asset>>()

async function load(name: string, folder: string): Promise<Asset> {
  const file = Bun.file(join(folder, name))
  const bytes = await file.arrayBuffer()
  return { bytes, type: file.type, etag: `"${Bun.hash(bytes).toString(36)}"` }
}

/** `GET /assets/:name`: checked again by its tag at each use, so that a new version is never mixed with an old one. */
export const assets = new Elysia({ name: 'assets', detail: { hide: true } }).get('/assets/:name', async ({ params, request }) => {
  const folder = Object.hasOwn(files, params.name) ? files[params.name] : undefined
  if (!folder) throw new Problem('not_found')
  if (!loaded.has(params.name)) loaded.set(params.name, load(params.name, folder))
  const { bytes, type, etag } = (await loaded.get(params.name)) as Asset
  const headers = { 'content-type': type, 'cache-control': 'no-cache', etag }
  if (request.headers.get('if-none-match') === etag) return new Response(null, { status: 304, headers })
  return new Response(bytes, { headers })
})
