import { Elysia, t } from 'elysia'
import type { Db } from '#platform/data/db'
import { about } from '#platform/docs/about'
import { type Answer, idempotent } from '#platform/http/idempotency'
import { ById, eg, Instant, LocalDate, PageOf, PageQuery } from '#platform/http/schema'
import { bearer, type Caller } from '#platform/identity/caller'
import type { Needs } from '../app.ts'
import { calendarFile } from '../calendar/file.ts'
import { calendarText } from '../calendar/model.ts'
import { keepBody, openBody } from '../privacy/reasons.ts'
import { changing, exampleAfter, writing } from './about.ts'
import { book } from './book.ts'
import { change } from './change.ts'
import { listOwn, readHistory, readOwn } from './list.ts'
import { Appointment, appointmentOf, BookingWish, HistoryEntry, StatusOut, WithReason } from './model.ts'
import { move } from './move.ts'

const Id = ById('appointment')

/** Booking and everything that can happen to an appointment. */
export const appointmentRoutes = (needs: Needs) =>
  new Elysia({ name: 'appointments', detail: { tags: ['Appointments'] } })
    .use(bookingRoute(needs))
    .use(readingRoutes(needs))
    .use(partyRoutes(needs))
    .use(doctorRoutes(needs))

/** Runs a change once for its idempotency key, and says its result in HTTP. */
async function answer(
  needs: Needs,
  {
    request,
    who,
    body,
    set
  }: { request: Request; who: Caller; body: unknown; set: { status?: unknown; headers: Record<string, unknown> } },
  work: (db: Db) => Promise<Appointment>,
  made?: (appointment: Appointment) => Pick<Answer, 'status' | 'headers'>
) {
  const wish = { callerId: who.id, key: request.headers.get('idempotency-key'), route: new URL(request.url).pathname, body }
  const once = async (db: Db): Promise<Answer> => {
    const appointment = await work(db)
    return { status: 200, headers: {}, ...made?.(appointment), body: appointment }
  }
  const result = await idempotent(needs.sql, wish, once, { keep: keepBody, open: openBody })
  set.status = result.status
  Object.assign(set.headers, result.headers)
  if (result.status < 300) set.headers.etag = `"${(result.body as Appointment).version}"`
  return result.body as Appointment
}

const bookingRoute = (needs: Needs) =>
  new Elysia({ name: 'booking', prefix: '/v1/appointments' }).use(bearer(needs.verify, 'patient')).post(
    '',
    ({ body, who, request, set }) =>
      answer(
        needs,
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
      body: BookingWish,
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

const readingRoutes = ({ sql, verify, organizer }: Needs) =>
  new Elysia({ name: 'own appointments', prefix: '/v1/appointments' })
    .use(bearer(verify, 'patient', 'doctor'))
    .get('', ({ who, query }) => listOwn(sql, who, query), {
      query: t.Object({
        status: t.Optional(StatusOut),
        from: t.Optional(
          t.Union([LocalDate, Instant], {
            examples: ['2027-01-01'],
            description: 'Starts then or later: an instant, or the whole day in UTC'
          })
        ),
        to: t.Optional(
          t.Union([LocalDate, Instant], {
            examples: ['2027-01-31'],
            description: 'Starts before this instant, or on this day in UTC at the latest'
          })
        ),
        sort: t.Optional(
          t.Union([t.Literal('start'), t.Literal('-start')], { description: 'Soonest first (the standard), or latest first' })
        ),
        ...PageQuery
      }),
      response: { 200: PageOf(Appointment) },
      detail: about({
        summary: 'My appointments',
        description:
          'Those that the caller is a party to, as patient or as doctor, past ones and ended ones included. Holds are not among them.',
        answer: 'A page of appointments'
      })
    })
    .get(
      '/:id',
      async ({ who, params, set }) => {
        const row = await readOwn(sql, who, params.id)
        set.headers.etag = `"${row.version}"`
        return appointmentOf(row)
      },
      {
        params: Id,
        response: { 200: Appointment },
        detail: about({
          summary: 'One appointment',
          description: 'For its two parties; to everybody else it is not found. The `ETag` is for `If-Match` of a change.',
          answer: 'The appointment',
          problems: ['appointment_not_found'],
          gives: ['ETag']
        })
      }
    )
    .get('/:id/history', ({ who, params }) => readHistory(sql, who, params.id), {
      params: Id,
      response: { 200: t.Array(HistoryEntry) },
      detail: about({
        summary: 'Who did what when',
        description:
          'Every change since the booking, the oldest first, with the reason that was given. Nothing is ever taken out but what was written by or about people who were erased.',
        answer: 'The audit trail',
        problems: ['appointment_not_found']
      })
    })
    .get(
      '/:id/calendar.ics',
      async ({ who, params, set }) => {
        const file = calendarFile(await readOwn(sql, who, params.id), who.role, organizer)
        set.headers['content-type'] = 'text/calendar; charset=utf-8'
        set.headers['content-disposition'] = 'attachment; filename="appointment.ics"'
        return file
      },
      {
        params: Id,
        detail: about({
          summary: 'The calendar entry',
          description:
            'An iCalendar file (RFC 5545) of the one entry. Its `UID` is that of the mails and never changes, so that a calendar takes a later file as an update; no reason and no specialty stand in it.',
          answer: 'The file',
          text: calendarText,
          problems: ['appointment_not_found']
        })
      }
    )

const partyRoutes = (needs: Needs) =>
  new Elysia({ name: 'changes by a party', prefix: '/v1/appointments' })
    .use(bearer(needs.verify, 'patient', 'doctor'))
    .post(
      '/:id/cancel',
      ({ body, params, who, request, set }) =>
        answer(needs, { request, who, body, set }, (db) =>
          change(db, 'cancel', who, { id: params.id, reason: body.reason, ifMatch: request.headers.get('if-match') }, needs.clock())
        ),
      {
        params: Id,
        body: WithReason,
        response: { 200: Appointment },
        detail: changing({
          summary: 'Cancel with a reason',
          description:
            'A requested or confirmed one, before its start; a patient no later than the doctor’s `cancellationNoticeMinutes` before (`too_late`). Both are mailed, and the slot is free at once or goes to the first who waits.',
          example: exampleAfter('cancelled', { statusReason: 'The doctor is travelling that week' })
        })
      }
    )
    .post(
      '/:id/reschedule',
      ({ body, params, who, request, set }) =>
        answer(needs, { request, who, body, set }, (db) =>
          move(
            db,
            who,
            { id: params.id, start: body.start, ifMatch: request.headers.get('if-match') },
            { now: needs.clock(), limits: needs.limits }
          )
        ),
      {
        params: Id,
        body: t.Object(
          { start: eg(Instant, '2027-01-06T13:00:00Z', 'The start of a free slot of the same doctor') },
          { additionalProperties: false }
        ),
        response: { 200: Appointment },
        detail: changing({
          summary: 'Move to another slot',
          description:
            'In one step: the old slot is given up only with the new one got. By the patient it is `requested` again (`confirmed` where the doctor confirms at once), by the doctor `confirmed`; both are mailed. The notice that a patient must keep is that of a cancellation. A patient moves appointments as often an hour and a day as they book (`rate_limited`).',
          example: exampleAfter('requested', { start: '2027-01-06T13:00:00Z', end: '2027-01-06T13:30:00Z' }),
          problems: ['doctor_not_found', 'slot_taken', 'patient_conflict', 'slot_unavailable', 'rate_limited']
        })
      }
    )

const doctorRoutes = (needs: Needs) =>
  new Elysia({ name: 'changes by the doctor', prefix: '/v1/appointments' })
    .use(bearer(needs.verify, 'doctor'))
    .post('/:id/confirm', ({ params, who, request, set }) => byDoctor(needs, 'confirm', { params, who, request, set }), {
      params: Id,
      response: { 200: Appointment },
      detail: changing({
        summary: 'Confirm a request',
        description:
          'Before its start, and before `answerWithinMinutes` are over (`too_late`). Both are mailed, with a calendar entry, and reminded 24 h and 1 h before the visit.',
        example: exampleAfter('confirmed')
      })
    })
    .post('/:id/decline', ({ body, params, who, request, set }) => byDoctor(needs, 'decline', { params, who, request, set }, body), {
      params: Id,
      body: WithReason,
      response: { 200: Appointment },
      detail: changing({
        summary: 'Decline a request',
        description:
          'Only what is still `requested`, before `answerWithinMinutes` are over (`too_late`). Both are mailed, and the slot is free at once or goes to the first who waits.',
        example: exampleAfter('declined', { statusReason: 'The doctor is travelling that week' })
      })
    })
    .post('/:id/complete', ({ params, who, request, set }) => byDoctor(needs, 'complete', { params, who, request, set }), {
      params: Id,
      response: { 200: Appointment },
      detail: changing({
        summary: 'The visit took place',
        description:
          'Only a confirmed one, after its start (`invalid_transition` before). It is the last that can be done to it; nobody is mailed.',
        example: exampleAfter('completed', { version: 3, updatedAt: '2027-01-05T11:32:00Z' })
      })
    })
    .post('/:id/no-show', ({ params, who, request, set }) => byDoctor(needs, 'no_show', { params, who, request, set }), {
      params: Id,
      response: { 200: Appointment },
      detail: changing({
        summary: 'The patient did not come',
        description:
          'Only a confirmed one, after its start (`invalid_transition` before). It is the last that can be done to it; nobody is mailed.',
        example: exampleAfter('no_show', { version: 3, updatedAt: '2027-01-05T11:32:00Z' })
      })
    })

type Parts = { params: { id: string }; who: Caller; request: Request; set: { status?: unknown; headers: Record<string, unknown> } }

const byDoctor = (
  needs: Needs,
  action: 'confirm' | 'decline' | 'complete' | 'no_show',
  { params, who, request, set }: Parts,
  body: { reason?: string } = {}
) =>
  answer(needs, { request, who, body, set }, (db) =>
    change(db, action, who, { id: params.id, reason: body.reason, ifMatch: request.headers.get('if-match') }, needs.clock())
  )
