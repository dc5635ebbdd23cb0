import { Elysia, t } from 'elysia'
import { bearer } from '#platform/caller'
import { Instant, LocalDate, PageOf, PageQuery, Uuid } from '#platform/schema'
import type { Needs } from '../app.ts'
import { joinLine, leaveLine, listLines } from './line.ts'

const Entry = t.Object({
  id: Uuid,
  doctorId: Uuid,
  from: LocalDate,
  to: LocalDate,
  status: t.Union([t.Literal('waiting'), t.Literal('offered')]),
  createdAt: Instant,
  offer: t.Optional(t.Object({ holdId: Uuid, start: Instant, expiresAt: Instant }))
})

/** Waiting for a slot to become free. */
export const waitlistRoutes = ({ sql, verify, clock }: Needs) =>
  new Elysia({ name: 'waitlist', prefix: '/v1/waitlist' })
    .use(bearer(verify, 'patient'))
    .post('', async ({ body, who, status }) => status(201, (await joinLine(sql, who, body, clock())) as never), {
      body: t.Object({ doctorId: Uuid, from: LocalDate, to: LocalDate }, { additionalProperties: false }),
      response: { 201: Entry },
      detail: { summary: 'Wait for a slot', tags: ['Waitlist'], 'x-problems': ['doctor_not_found', 'range_too_long', 'conflict'] } as object
    })
    .get('', async ({ who, query }) => (await listLines(sql, who, query, clock())) as never, {
      query: t.Object(PageQuery),
      response: { 200: PageOf(Entry) },
      detail: { summary: 'What I wait for', tags: ['Waitlist'] }
    })
    .delete(
      '/:id',
      async ({ params, who, set }) => {
        await leaveLine(sql, who, params.id, clock())
        set.status = 204
      },
      { params: t.Object({ id: Uuid }), detail: { summary: 'Stop waiting', tags: ['Waitlist'] } }
    )
