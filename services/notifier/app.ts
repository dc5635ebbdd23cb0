import { Elysia } from 'elysia'
import type { Sql } from '#platform/data/db'
import { docs } from '#platform/docs/docs'
import type { Bus } from '#platform/events/bus'
import { http, problems } from '#platform/http/app'
import { type Check, ops } from '#platform/http/health'
import type { Verify } from '#platform/identity/caller'
import { adminRoutes } from './admin/routes.ts'
import { peopleRoutes } from './people/routes.ts'

/** What the notifier's HTTP side needs. */
export type Needs = { sql: Sql; bus: Bus; verify: Verify; clock: () => Temporal.Instant; checks: Check[] }

/** The notifier over HTTP. */
export const notifier = (needs: Needs) =>
  new Elysia(http)
    .use(problems)
    .use(docs('Notifier', 'What was sent to whom, and what could not be.'))
    .use(ops(needs.checks))
    .use(adminRoutes(needs))
    .use(peopleRoutes(needs))
