import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Elysia } from 'elysia'
import { Problem } from '#platform/http/problem'

const own = import.meta.dir
const swagger = dirname(fileURLToPath(import.meta.resolve('swagger-ui-dist/package.json')))

/** The files that pages load, and where each comes from. */
const files: Record<string, string> = {
  'page.css': own,
  'docs.css': own,
  'mark.svg': own,
  'token.js': own,
  'docs.js': own,
  'ops.css': own,
  'ops.js': own,
  'swagger-ui.css': swagger,
  'swagger-ui-bundle.js': swagger,
  'swagger-ui-standalone-preset.js': swagger
}

type Asset = { plain: Blob; gzipped: Blob; tag: string }
const loaded = new Map<string, Promise<Asset>>()

async function load(name: string, folder: string): Promise<Asset> {
  const file = Bun.file(join(folder, name))
  const bytes = await file.arrayBuffer()
  const tag = Bun.hash(bytes).toString(36)
  // a file is sent by the kernel from its cache, and a blob is shared by all answers; a buffer would be copied for each
  return { plain: file, gzipped: new Blob([Bun.gzipSync(bytes)], { type: file.type }), tag }
}

/** `GET /assets/:name`: checked again by its tag at each use, so that a new version is never mixed with an old one. */
export const assets = new Elysia({ name: 'assets', detail: { hide: true } }).get('/assets/:name', async ({ params, request }) => {
  const folder = Object.hasOwn(files, params.name) ? files[params.name] : undefined
  if (!folder) throw new Problem('not_found')
  if (!loaded.has(params.name)) loaded.set(params.name, load(params.name, folder))
  const { plain, gzipped, tag } = (await loaded.get(params.name)) as Asset
  const isGzipped = /\bgzip\b(?!;q=0(?:\.0*)?(?:,|$))/.test(request.headers.get('accept-encoding') ?? '')
  const etag = `"${tag}${isGzipped ? '-gzip' : ''}"`
  const headers = { 'content-type': plain.type, 'cache-control': 'no-cache', vary: 'accept-encoding', etag }
  if (request.headers.get('if-none-match') === etag) return new Response(null, { status: 304, headers })
  return isGzipped ? new Response(gzipped, { headers: { ...headers, 'content-encoding': 'gzip' } }) : new Response(plain, { headers })
})
