import { Elysia, t } from 'elysia'
import { about } from '#platform/docs/about'
import { ById, eg, IdOf, Instant, LocalDate, PageOf, PageQuery } from '#platform/http/schema'
import { bearer } from '#platform/identity/caller'
import type { Needs } from '../app.ts'
import { joinLine, leaveLine, listLines } from './line.ts'

const days = {
  doctorId: IdOf('doctor'),
  from: eg(LocalDate, '2027-01-05', 'The first day, in the doctor’s zone'),
  to: eg(LocalDate, '2027-01-12', 'The last day, included')
}
const Offer = t.Object({
  holdId: eg(IdOf('hold'), '019b1a77-0c4e-7f82-b3d9-5a1e6c7f2048', 'What to book it with'),
  start: eg(Instant, '2027-01-06T13:00:00Z'),
  expiresAt: eg(Instant, '2027-01-05T10:15:00Z', '15 minutes after it was offered')
})
const Entry = t.Object({
  id: IdOf('place in the line'),
  ...days,
  status: t.Union([t.Literal('waiting'), t.Literal('offered')], {
    examples: ['offered'],
    description: '`offered` once a slot has been, after which no other is; where its time is over there is no `offer`'
  }),
  createdAt: eg(Instant, '2027-01-04T12:00:00Z'),
  offer: t.Optional(Offer)
})

/** Waiting for a slot to become free. */
export const waitlistRoutes = ({ sql, verify, clock, limits, verification, clientTag }: Needs) =>
  new Elysia({ name: 'waitlist', prefix: '/v1/waitlist', detail: { tags: ['Waitlist'] } })
    .use(bearer(verify, 'patient'))
    .post(
      '',
      async ({ body, who, request, status }) => {
        const { isNew, entry } = await joinLine(sql, who, body, { now: clock(), limits, verification, client: clientTag(request) })
        return isNew ? status(201, entry as never) : status(200, entry as never)
      },
      {
        body: t.Object(days, { additionalProperties: false }),
        response: { 200: Entry, 201: Entry },
        detail: about({
          summary: 'Wait for a slot',
          description:
            'When a slot of these days frees, the first in line is mailed and holds it for 15 minutes, then the next. Slots that are free now are not offered: book them. At most 90 days and 10 lines at once, and one place for each doctor: who has one already waits for the new days instead and keeps the place (200); the same days again, and other days while a slot is offered, are a `conflict`. A slot that was offered to somebody and not taken is not offered to them again that day. At most 10 open claims on one doctor (holds, bookings and places in the waitlist) come from one client address (`booking_limit`).',
          answer: 'The place in the line',
          example: { status: 'waiting', offer: undefined },
          problems: ['email_not_verified', 'doctor_not_found', 'range_too_long', 'conflict', 'booking_limit']
        })
      }
    )
    .get('', async ({ who, query }) => (await listLines(sql, who, query, clock())) as never, {
      query: t.Object(PageQuery),
      response: { 200: PageOf(Entry) },
      detail: about({
        summary: 'What I wait for',
        description:
          'The oldest first, each with the offer that is open: book it with its `holdId` as `POST /v1/appointments` before it expires.',
        answer: 'A page of places in line'
      })
    })
    .delete(
      '/:id',
      async ({ params, who, set }) => {
        await leaveLine(sql, who, params.id, clock())
        set.status = 204
      },
      {
        params: ById('place in the line'),
        detail: about({
          summary: 'Stop waiting',
          description: 'An open offer goes to the next in line at once.',
          answer: 'The place is given up'
        })
      }
    )
