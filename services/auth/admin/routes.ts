import { Elysia, t } from 'elysia'
import { bearer } from '#platform/caller'
import { PageOf, PageQuery, Reason, Uuid } from '#platform/schema'
import { Role, User } from '../accounts/model.ts'
import type { Needs } from '../app.ts'
import { approve, disable, enable, reject } from './decide.ts'
import { listUsers } from './list.ts'

const ById = t.Object({ id: Uuid })

/** What admins do with accounts. */
export const adminRoutes = (needs: Needs) =>
  new Elysia({ name: 'admin', prefix: '/v1/admin', detail: { tags: ['Admin'] } })
    .use(bearer(needs.verify, 'admin'))
    .get('/users', ({ query }) => listUsers(needs.sql, needs.seal, query), {
      query: t.Object({
        role: t.Optional(Role),
        approval: t.Optional(t.Union([t.Literal('pending'), t.Literal('approved'), t.Literal('rejected')])),
        q: t.Optional(t.String({ maxLength: 200, description: 'Part of a name or address, a CRM, or a whole CPF' })),
        ...PageQuery
      }),
      response: { 200: PageOf(User) },
      detail: { summary: 'List and search people' }
    })
    .post('/doctors/:id/approve', ({ who, params }) => approve(needs, who.id, params.id, needs.clock()), {
      params: ById,
      response: { 200: User },
      detail: { summary: 'Approve a doctor', 'x-problems': ['doctor_not_found'] } as object
    })
    .post('/doctors/:id/reject', ({ who, params, body }) => reject(needs, who.id, params.id, body.reason, needs.clock()), {
      params: ById,
      body: t.Object({ reason: Reason }),
      response: { 200: User },
      detail: { summary: 'Reject a doctor', 'x-problems': ['doctor_not_found'] } as object
    })
    .post('/users/:id/disable', ({ who, params }) => disable(needs, who.id, params.id, needs.clock()), {
      params: ById,
      response: { 200: User },
      detail: { summary: 'Disable an account and end its sessions', 'x-problems': ['not_found', 'conflict'] } as object
    })
    .post('/users/:id/enable', ({ who, params }) => enable(needs, who.id, params.id, needs.clock()), {
      params: ById,
      response: { 200: User },
      detail: { summary: 'Enable an account again', 'x-problems': ['not_found'] } as object
    })
