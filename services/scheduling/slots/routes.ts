import { Elysia, t } from 'elysia'
import { Instant, LocalDate, Money, queryInteger, TimeZone, Uuid } from '#platform/schema'
import type { Needs } from '../app.ts'
import { Doctor } from '../doctors/model.ts'
import { earliestSlots } from './earliest.ts'
import { listSlots } from './list.ts'

const Slot = t.Object({ start: Instant, end: Instant })
const Slots = t.Object({ doctorId: Uuid, timezone: TimeZone, slotMinutes: t.Number(), price: Money, slots: t.Array(Slot) })
const Earliest = t.Object({ items: t.Array(t.Object({ start: Instant, end: Instant, doctor: Doctor })) })

/** The free slots of one doctor, and the earliest over all doctors of a specialty. */
export const slotRoutes = ({ sql, clock }: Needs) =>
  new Elysia({ name: 'slots' })
    .get(
      '/v1/doctors/:id/slots',
      async ({ params, query, headers, set }) => {
        const listed = await listSlots(sql, params.id, query, clock())
        // a strong tag of the content: the same slots are the same answer, whoever computed it
        const tag = `"${Bun.hash(JSON.stringify(listed)).toString(36)}"`
        set.headers.etag = tag
        set.headers['cache-control'] = 'no-cache'
        if (headers['if-none-match']?.split(',').some((known) => known.trim().replace(/^W\//, '') === tag || known.trim() === '*')) {
          set.status = 304
          return undefined as never
        }
        return listed
      },
      {
        params: t.Object({ id: Uuid }),
        query: t.Object({ from: t.Optional(LocalDate), to: t.Optional(LocalDate) }),
        response: { 200: Slots, 304: t.Undefined() },
        detail: {
          summary: 'Free slots of a doctor',
          description: 'Dates are of the doctor’s zone, both included, at most 62; by default the next 7 days.',
          tags: ['Slots'],
          'x-problems': ['doctor_not_found', 'range_too_long'],
          'x-headers': ['If-None-Match']
        } as object
      }
    )
    .get('/v1/slots', async ({ query }) => ({ items: await earliestSlots(sql, query, clock()) }), {
      query: t.Object({
        specialty: t.String({ maxLength: 64 }),
        from: t.Optional(LocalDate),
        to: t.Optional(LocalDate),
        limit: t.Optional(queryInteger(1, 100, { path: '/limit', examples: ['20'] }))
      }),
      response: { 200: Earliest },
      detail: { summary: 'Earliest free slots of a specialty', tags: ['Slots'], 'x-problems': ['range_too_long'] } as object
    })
