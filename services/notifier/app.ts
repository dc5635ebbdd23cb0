import { Elysia } from 'elysia'
import type { Bus } from '#platform/bus'
import type { Verify } from '#platform/caller'
import type { Sql } from '#platform/db'
import { docs } from '#platform/docs'
import { http, problems } from '#platform/http'
import { type Check, ops } from '#platform/ops'
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
