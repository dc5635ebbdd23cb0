import { Elysia, t } from 'elysia'
import { about } from '#platform/docs/about'
import { ById, eg, hasTag, IdOf, Instant, LocalDate, Money, PageQuery, SpecialtyCode, TimeZone } from '#platform/http/schema'
import { Doctor, SlotMinutes } from '../doctors/model.ts'
import type { Needs } from '../needs.ts'
import { earliestSlots } from '../search/earliest.ts'
import { listSlots } from './list.ts'

const slot = { start: Instant, end: eg(Instant, '2027-01-05T11:30:00Z') }
const Slots = t.Object({
  doctorId: IdOf('doctor'),
  timezone: TimeZone,
  slotMinutes: SlotMinutes,
  price: Money,
  slots: t.Array(t.Object(slot))
})
const Earliest = t.Object({ items: t.Array(t.Object({ ...slot, doctor: Doctor })) })
/** `otherwise`: the last day where none is said. */
const datesOf = (otherwise: string) =>
  t.Object({
    from: t.Optional(eg(LocalDate, '2027-01-05', 'The first day, in the doctor’s zone; today where it is left out')),
    to: t.Optional(eg(LocalDate, '2027-01-11', `The last day, included; ${otherwise} where it is left out`))
  })

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
        if (hasTag(headers['if-none-match'], tag)) {
          set.status = 304
          return undefined as never
        }
        return listed
      },
      {
        params: ById('doctor'),
        query: datesOf('the sixth after the first'),
        response: { 200: Slots, 304: t.Undefined() },
        detail: about({
          summary: 'Free slots of a doctor',
          description:
            'At most 62 days, by default the next 7. A slot is free when it is far enough ahead, within the booking window, and meets no held, requested or confirmed appointment; it may be taken before you book it.',
          tags: ['Slots'],
          answer: 'The free slots, soonest first',
          problems: ['doctor_not_found', 'range_too_long'],
          takes: ['If-None-Match'],
          gives: ['ETag']
        })
      }
    )
    .get('/v1/slots', async ({ query }) => ({ items: await earliestSlots(sql, query, clock()) }), {
      query: t.Object({
        specialty: SpecialtyCode,
        ...datesOf('the end of the booking window').properties,
        limit: PageQuery.limit
      }),
      response: { 200: Earliest },
      detail: about({
        summary: 'Earliest free slots of a specialty',
        description:
          'Over every approved doctor of the specialty, soonest first; one doctor may stand there several times. Without dates it looks to the end of each booking window; two dates may be 62 days apart at most. There is no next page.',
        tags: ['Slots'],
        answer: 'The earliest slots, each with its doctor',
        problems: ['range_too_long']
      })
    })
