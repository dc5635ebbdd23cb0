import { expect, test } from 'bun:test'
import { apps, FILE, inside, routeTable } from './route-table.ts'

test('the gateway’s table is what the services’ documents say: `bun run routes` writes it', async () => {
  expect(await Bun.file(FILE).text()).toBe(await routeTable())
})

test.each(Object.entries(apps))('every route of %s is in its document, or of a kind that no client can reach', async (_, app) => {
  const { paths } = (await (await app.handle(new Request('http://localhost/docs/json'))).json()) as { paths: Record<string, object> }
  const documented = Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`)
  )
  const silent = app.routes.filter(({ method, path }) => !documented.includes(`${method} ${path}`)).map(({ path }) => path)
  expect(silent.filter((path) => !inside.test(path))).toEqual([])
  // the guard against a test that sees nothing
  expect(silent).toContain('/docs/json')
})
