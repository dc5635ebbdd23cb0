import { Elysia, t } from 'elysia'
import { Problem } from '#platform/http/problem'
import { Uuid } from '#platform/http/schema'
import { bearer } from '#platform/identity/caller'
import type { Needs } from '../app.ts'
import { exportOf } from './export.ts'

/** What scheduling holds on a person, asked for by auth in that person's name; not reachable through the gateway. */
export const peopleRoutes = ({ sql, verify }: Needs) =>
  new Elysia({ name: 'people', detail: { hide: true } }).use(bearer(verify)).get(
    '/internal/people/:id/export',
    ({ params, who }) => {
      if (who.id !== params.id) throw new Problem('not_found')
      return exportOf(sql, who)
    },
    { params: t.Object({ id: Uuid }) }
  )
