import { join } from 'node:path'
import type { AnyElysia } from 'elysia'
import type { Role } from '#platform/identity/caller'
import { auth } from '../services/auth/app.ts'
import { notifier } from '../services/notifier/app.ts'
import { scheduling } from '../services/scheduling/app.ts'

/** Where the table is kept. */
export const FILE = join(import.meta.dir, '..', 'gateway', 'route-table.json')

type Operation = { security?: unknown[]; 'x-roles'?: Role[]; parameters?: { name: string }[] }
type Document = { paths: Record<string, Record<string, Operation>> }

/** What no client may call through the gateway: other services, watchers, and the documents, which the gateway has its own pages for. */
export const inside = /^\/(internal|health|metrics|docs)\b/

// documents are made from the routes alone: nothing of what these need is touched
const needs = { checks: [] } as never
/** The services as they are made, without what they work with. */
export const apps: Record<string, AnyElysia> = { auth: auth(needs), scheduling: scheduling(needs), notifier: notifier(needs) }

/**
 * What clients can call, from the OpenAPI documents of the services, as the gateway reads it: method, path, service, roles (null: without a token; none
 * named: any caller) and whether an `Idempotency-Key` is honoured.
 */
export async function routeTable(): Promise<string> {
  const lines: string[] = []
  for (const [service, app] of Object.entries(apps)) {
    const { paths } = (await (await app.handle(new Request('http://localhost/docs/json'))).json()) as Document
    for (const [path, operations] of Object.entries(paths).filter(([each]) => !inside.test(each)))
      for (const [method, operation] of Object.entries(operations))
        lines.push(JSON.stringify(rowOf(service, path.replace(/\{(\w+)\}/g, ':$1'), method.toUpperCase(), operation)))
  }
  return `[\n${lines.map((line) => `  ${line}`).join(',\n')}\n]\n`
}

function rowOf(service: string, path: string, method: string, { security = [], parameters = [], ...operation }: Operation) {
  const roles = security.length === 0 ? null : (operation['x-roles'] ?? [])
  return { method, path, service, roles, keyed: parameters.some(({ name }) => name === 'Idempotency-Key') }
}

if (import.meta.main) {
  await Bun.write(FILE, await routeTable())
  console.log(`wrote ${FILE}`)
}
