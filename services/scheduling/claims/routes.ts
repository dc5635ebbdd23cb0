import { Elysia, t } from 'elysia'
import { about } from '#platform/docs/about'
import { ById, eg, IdOf, Instant } from '#platform/http/schema'
import { bearer } from '#platform/identity/caller'
import type { Needs } from '../needs.ts'
import { hold, release } from './hold.ts'

const Hold = t.Object({
  id: IdOf('hold'),
  start: Instant,
  end: eg(Instant, '2027-01-05T11:30:00Z'),
  expiresAt: eg(Instant, '2027-01-04T12:05:00Z', 'Until when it can be booked')
})

/** Keeping a slot for the minutes that a patient needs to decide. */
export const holdRoutes = ({ sql, verify, clock, limits, verification, clientTag }: Needs) =>
  new Elysia({ name: 'holds', prefix: '/v1/holds' })
    .use(bearer(verify, 'patient'))
    .post(
      '',
      async ({ body, who, request, status }) =>
        status(201, await hold(sql, who, body, { now: clock(), limits, verification, client: clientTag(request) })),
      {
        body: t.Object(
          { doctorId: IdOf('doctor'), start: eg(Instant, '2027-01-05T11:00:00Z', 'The start of a free slot') },
          { additionalProperties: false }
        ),
        response: { 201: Hold },
        detail: about({
          summary: 'Keep a slot for 5 minutes',
          description:
            'Nobody else can book it meanwhile; book it with its `holdId` before `expiresAt`. A patient has one open hold at a time (`hold_limit`), what the waitlist offers not counted. In 24 hours a patient holds the same slot at most 3 times, slots of one doctor 10 times and 30 in all (`rate_limited`). At most 10 open claims on one doctor (holds, bookings and places in the waitlist) come from one client address (`booking_limit`). Nobody is told.',
          tags: ['Appointments'],
          answer: 'The hold',
          problems: [
            'email_not_verified',
            'doctor_not_found',
            'slot_unavailable',
            'slot_taken',
            'patient_conflict',
            'hold_limit',
            'booking_limit',
            'rate_limited'
          ]
        })
      }
    )
    .delete(
      '/:id',
      async ({ params, who, set }) => {
        await release(sql, who, params.id, clock())
        set.status = 204
      },
      {
        params: ById('hold'),
        detail: about({
          summary: 'Give a kept slot up',
          description:
            'The slot is free at once, or goes to the first who waits for it. A hold that was booked, has been given up or is another’s is not found.',
          tags: ['Appointments'],
          answer: 'The slot is kept no longer'
        })
      }
    )
