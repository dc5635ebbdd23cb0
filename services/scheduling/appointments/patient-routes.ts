import { Elysia } from 'elysia'
import { bearer } from '#platform/identity/caller'
import type { Needs } from '../needs.ts'
import { writing } from './about.ts'
import { answerOnce } from './answer-once.ts'
import { book } from './book.ts'
import { Appointment, BookingInput } from './model.ts'

/** What only a patient can do: book. */
export const patientRoutes = (needs: Pick<Needs, 'sql' | 'verify' | 'clock' | 'limits' | 'verification' | 'clientTag'>) =>
  new Elysia({ name: 'booking', prefix: '/v1/appointments' }).use(bearer(needs.verify, 'patient')).post(
    '',
    ({ body, who, request, set }) =>
      answerOnce(
        needs.sql,
        { request, who, body, set },
        (db) =>
          book(db, who, body, {
            now: needs.clock(),
            limits: needs.limits,
            verification: needs.verification,
            client: needs.clientTag(request)
          }),
        ({ id }) => ({ status: 201, headers: { location: `/v1/appointments/${id}` } })
      ),
    {
      body: BookingInput,
      response: { 201: Appointment },
      detail: writing({
        summary: 'Book a slot',
        description:
          'It is `requested` until the doctor answers (both are mailed), or `confirmed` at once where the doctor wishes so. Of many who ask for one slot exactly one gets it. A hold of the caller’s on the slot is used also without its `holdId`. `booking_limit`: so many appointments of the patient are open, or 10 claims on this doctor (holds, bookings and places in the waitlist) from one client address. `rate_limited`: the patient booked 20 times within an hour or 40 times within a day (as many as `BOOKING_LIMIT`, and twice as many, where that is more).',
        answer: 'The appointment',
        problems: [
          'email_not_verified',
          'doctor_not_found',
          'slot_taken',
          'patient_conflict',
          'slot_unavailable',
          'hold_expired',
          'booking_limit',
          'rate_limited'
        ],
        gives: ['Location']
      })
    }
  )
