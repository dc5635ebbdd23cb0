import { afterAll, beforeAll, expect, test } from 'bun:test'
import { Elysia, t } from 'elysia'
import { flawsOf } from '#platform/docs/check'
import { docs } from '#platform/docs/docs'
import { handlerOf, http, problems } from '#platform/http/app'
import { problemCatalog } from '#platform/http/problem'
import { problemOf, type Replica, type Rig, replica, rig } from '../testing/testing.ts'
import { describedPages } from './gateway-routes.ts'
import { problemTexts } from './problem-words.ts'
import { languageOf } from './words.ts'

/** A service with a document of its own, as the real ones have. */
const service = (title: string, path: string) => {
  const routes = new Elysia()
    .get(path, () => ({ id: '1' }), { response: { 200: t.Object({ id: t.String() }) }, detail: { summary: title, tags: [title] } })
    .get('/internal/people/:id', () => ({}), { detail: { summary: 'Inside' } })
  return handlerOf(
    new Elysia(http)
      .use(problems)
      .use(docs(title, `About ${title}.`))
      .use(routes)
  )
}
const replicas: Record<'auth' | 'scheduling', Replica> = {
  auth: replica(service('Auth', '/v1/auth/me')),
  scheduling: replica(service('Scheduling', '/v1/appointments/:id'))
}
let gateway: Rig
beforeAll(async () => {
  const gone = replica()
  await gone.stop()
  gateway = await rig({ auth: replicas.auth.url, scheduling: replicas.scheduling.url, notifier: gone.url })
})
afterAll(async () => {
  await gateway.stop()
  await Promise.all(Object.values(replicas).map(({ stop }) => stop()))
})

type Document = { info: { title: string }; paths: Record<string, object>; components: { securitySchemes: object; schemas: object } }
const get = (path: string, headers: Record<string, string> = {}) => fetch(gateway.url + path, { headers, redirect: 'manual' })
const document = async (path: string) => (await (await get(path)).json()) as Document

test('each service has its document, without what the gateway does not pass on', async () => {
  const auth = await document('/docs/auth/json')
  expect([auth.info.title, Object.keys(auth.paths)]).toEqual(['Health&Med: Auth', ['/v1/auth/me']])
  expect(Object.keys((await document('/docs/gateway/json')).paths)).toEqual(['/health', '/problems', '/problems/{code}', '/ops/state'])
  expect((await get('/docs/other/json')).status).toBe(404)
  const away = await get('/docs/notifier/json')
  expect([away.status, (await problemOf(away)).code]).toEqual([503, 'upstream_unavailable'])
})

test('the gateway’s own document describes every operation, with examples that it would itself take', async () => {
  // made from the routes alone: nobody is asked
  expect(await flawsOf(describedPages({} as never, (() => {}) as never))).toEqual([])
})

test('one document has the calls of all that can be reached', async () => {
  const { paths, components, info } = await document('/docs/json')
  expect(Object.keys(paths)).toEqual(expect.arrayContaining(['/health', '/v1/auth/me', '/v1/appointments/{id}']))
  expect([info.title, Object.keys(components.securitySchemes), Object.keys(components.schemas)]).toEqual([
    'Health&Med',
    ['bearer'],
    ['Problem']
  ])
})

test('the page of the documents loads everything from here, and lets no script stand in it', async () => {
  for (const path of ['/docs', '/docs/gateway', '/docs/auth', '/docs/scheduling', '/docs/notifier']) {
    const answer = await get(path)
    const html = await answer.text()
    const loaded = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address]) => address as string)
    expect([path, answer.status, loaded.length]).toEqual([path, 200, 6])
    for (const address of loaded) expect([address, (await get(address)).status]).toEqual([expect.stringMatching(/^\/assets\//), 200])
    expect(html).not.toMatch(/<script(?![^>]* src=)|\son\w+=/)
    expect(answer.headers.get('content-security-policy')).toContain("script-src 'self';")
  }
  expect((await get('/docs/other')).status).toBe(404)
  expect((await get('/assets/..%2fmain.ts')).status).toBe(400)
  expect((await get('/assets/package.json')).status).toBe(404)
})

test('a file of a page is sent once and then only when it changed', async () => {
  const first = await get('/assets/swagger-ui-bundle.js')
  const again = await get('/assets/swagger-ui-bundle.js', { 'if-none-match': first.headers.get('etag') ?? '' })
  expect([first.headers.get('content-type'), again.status]).toEqual(['text/javascript;charset=utf-8', 304])
  const plain = await get('/assets/swagger-ui-bundle.js', { 'accept-encoding': 'gzip;q=0, identity' })
  expect([first.headers.get('content-encoding'), plain.headers.get('content-encoding')]).toEqual(['gzip', null])
  expect(await plain.text()).toBe(await first.text())
  expect(plain.headers.get('etag')).not.toBe(first.headers.get('etag'))
})

test('every code of a problem has a page, for people and for programs', async () => {
  for (const { code, status, title } of problemCatalog) {
    const told = (await (await get(`/problems/${code}`, { accept: 'application/json' })).json()) as { code: string; statuses: number[] }
    expect([told.code, told.statuses]).toEqual([code, expect.arrayContaining([status])])
    const page = await get(`/problems/${code}`, { accept: 'text/html' })
    expect(page.headers.get('content-type')).toStartWith('text/html')
    expect(await page.text()).toContain(title.replace("'", '&#39;'))
  }
  expect((await get('/problems/nonsense')).status).toBe(404)
  expect(await (await get('/problems', { accept: 'text/html' })).text()).toContain('/problems/slot_taken')
})

test('every code of a problem is explained to people in their language, with what to do', async () => {
  for (const language of ['en', 'pt-BR'] as const) {
    const texts = problemTexts(language)
    expect(texts.map(({ code }) => code)).toEqual([...new Set(problemCatalog.map(({ code }) => code))])
    for (const { code, titles, advice } of texts) expect([code, titles.every(Boolean), advice.every(Boolean)]).toEqual([code, true, true])
  }
  const page = (path: string, language: string) => get(path, { accept: 'text/html', 'accept-language': language })
  const portuguese = await (await page('/problems/slot_taken', 'pt-BR')).text()
  expect(portuguese).toContain('<html lang="pt-BR">')
  expect(portuguese).toContain('Outra pessoa já tem este horário')
  expect(await (await page('/problems', 'pt-BR')).text()).toContain('Códigos de erro')
  const unknown = await page('/problems/nonsense', 'pt-BR')
  expect([unknown.status, await unknown.text()]).toEqual([404, expect.stringContaining('não existe')])
})

test('the health is a page in the language of a person, and JSON for a program, with the same status', async () => {
  const accept = 'text/html,application/xhtml+xml,*/*;q=0.8'
  const portuguese = await get('/health', { accept, 'accept-language': 'pt-BR' })
  const html = await portuguese.text()
  expect([portuguese.status, portuguese.headers.get('content-type')]).toEqual([503, 'text/html; charset=utf-8'])
  expect([html, html]).toEqual([expect.stringContaining('Situação do sistema'), expect.stringContaining('Não funciona')])
  expect(await (await get('/health', { accept, 'accept-language': 'en' })).text()).toContain('Health of the system')
  for (const accepted of ['*/*', 'application/json', undefined]) {
    const answer = await get('/health', accepted ? { accept: accepted } : {})
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([503, 'no-store'])
    expect(await answer.json()).toMatchObject({ status: 'down', services: { notifier: 'down' } })
  }
})

test('the first page speaks the language of the reader, and every link on it leads somewhere', async () => {
  for (const [language, words] of [
    ['pt-BR', 'Consultas médicas marcadas pela internet'],
    ['en', 'Online booking of medical appointments']
  ] as const) {
    const html = await (await get('/', { accept: 'text/html', 'accept-language': language })).text()
    expect(html).toContain(words)
    for (const [, path = ''] of html.matchAll(/<a href="([^"]+)"/g)) expect([path, (await get(path)).status]).not.toEqual([path, 404])
  }
})

test('the pages of mails change nothing when they are opened, and speak the language of the reader', async () => {
  const before = replicas.auth.seen.length
  const cases: [path: string, language: string, words: string][] = [
    ['/verify-email?token=abc', 'pt-BR,pt;q=0.9,en;q=0.8', 'Confirme o seu e-mail'],
    ['/verify-email', 'en-GB', 'Confirm your e-mail address'],
    ['/reset-password?token=abc', 'pt', 'Escolha uma nova senha'],
    ['/reset-password', 'de, fr;q=0.5', 'Choose a new password']
  ]
  for (const [path, language, words] of cases) {
    const answer = await get(path, { 'accept-language': language })
    const html = await answer.text()
    expect([path, answer.status, html]).toEqual([path, 200, expect.stringContaining(words)])
    expect(html).not.toContain('abc')
    expect(answer.headers.get('referrer-policy')).toBe('no-referrer')
  }
  expect(replicas.auth.seen.length).toBe(before)
})

test('where a mail may lead, a HEAD of a scanner is answered as well', async () => {
  expect((await fetch(`${gateway.url}/verify-email?token=abc`, { method: 'HEAD' })).status).toBe(200)
})

test.each([
  ['pt-BR', 'pt-BR'],
  ['en;q=0.5, pt;q=0.9', 'pt-BR'],
  ['pt;q=0, en', 'en'],
  ['', 'en'],
  ['ptx', 'en']
])('who accepts %p reads %s', (accepted, language) => {
  expect(languageOf(accepted)).toBe(language as 'en')
})
