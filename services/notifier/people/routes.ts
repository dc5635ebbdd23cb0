import { Elysia, t } from 'elysia'
import type { Sql } from '#platform/data/db'
import { Problem } from '#platform/http/problem'
import { Uuid } from '#platform/http/schema'
import { bearer, type Verify } from '#platform/identity/caller'
import { exportPerson } from './export.ts'

/** What auth asks for, with the person's own token, when it puts their data together. */
export const peopleRoutes = ({ sql, verify }: { sql: Sql; verify: Verify }) =>
  new Elysia({ name: 'people', prefix: '/internal/people' }).use(bearer(verify)).get(
    '/:id/export',
    ({ params, who }) => {
      if (params.id !== who.id) throw new Problem('not_found')
      return exportPerson(sql, who.id)
    },
    { params: t.Object({ id: Uuid }), detail: { hide: true } }
  )
