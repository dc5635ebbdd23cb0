import { Elysia, t } from 'elysia'
import { bearer } from '#platform/caller'
import { Instant, Uuid } from '#platform/schema'
import type { Needs } from '../app.ts'
import { hold, release } from './hold.ts'

/** Keeping a slot for the minutes that a patient needs to decide. */
export const holdRoutes = ({ sql, verify, clock, limits }: Needs) =>
  new Elysia({ name: 'holds', prefix: '/v1/holds' })
    .use(bearer(verify, 'patient'))
    .post('', async ({ body, who, status }) => status(201, await hold(sql, who, body, clock(), limits)), {
      body: t.Object({ doctorId: Uuid, start: Instant }, { additionalProperties: false }),
      response: { 201: t.Object({ id: Uuid, start: Instant, end: Instant, expiresAt: Instant }) },
      detail: {
        summary: 'Keep a slot for 5 minutes',
        tags: ['Appointments'],
        'x-problems': ['doctor_not_found', 'slot_unavailable', 'slot_taken', 'patient_conflict', 'hold_limit']
      } as object
    })
    .delete(
      '/:id',
      async ({ params, who, set }) => {
        await release(sql, who, params.id, clock())
        set.status = 204
      },
      { params: t.Object({ id: Uuid }), detail: { summary: 'Give a kept slot up', tags: ['Appointments'] } }
    )
