import { Elysia, t } from 'elysia'
import { bearer, type Caller } from '#platform/caller'
import type { Db } from '#platform/db'
import { type Answer, idempotent } from '#platform/idempotency'
import { Instant, LocalDate, PageOf, PageQuery, Reason, Uuid } from '#platform/schema'
import type { Needs } from '../app.ts'
import { calendarFile } from '../calendar/file.ts'
import { book } from './book.ts'
import { change } from './change.ts'
import { listOwn, readHistory, readOwn } from './list.ts'
import { Appointment, appointmentOf, BookingWish, StatusOut } from './model.ts'
import { move } from './move.ts'

const Id = t.Object({ id: Uuid })
const WithReason = t.Object({ reason: Reason }, { additionalProperties: false })
const Entry = t.Object({
  at: Instant,
  actor: t.Object({ id: t.Union([Uuid, t.Null()]), role: t.String() }),
  action: t.String(),
  from: t.Union([t.String(), t.Null()]),
  to: t.String(),
  reason: t.Optional(t.String())
})
const detail = (summary: string, problems: string[]) =>
  ({
    summary,
    tags: ['Appointments'],
    'x-problems': [...problems, 'idempotency_key_reused', 'idempotency_in_progress'],
    'x-headers': ['Idempotency-Key', ...(problems.includes('version_conflict') ? ['If-Match'] : [])]
  }) as object
const changing = ['appointment_not_found', 'invalid_transition', 'too_late', 'version_conflict']

/** Booking and everything that can happen to an appointment. */
export const appointmentRoutes = (needs: Needs) =>
  new Elysia({ name: 'appointments' }).use(bookingRoute(needs)).use(readingRoutes(needs)).use(partyRoutes(needs)).use(doctorRoutes(needs))

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
  const result = await idempotent(needs.sql, wish, async (db) => {
    const appointment = await work(db)
    return { status: 200, headers: {}, ...made?.(appointment), body: appointment }
  })
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
        (db) => book(db, who, body, { now: needs.clock(), limits: needs.limits, verification: needs.verification }),
        ({ id }) => ({ status: 201, headers: { location: `/v1/appointments/${id}` } })
      ),
    {
      body: BookingWish,
      response: { 201: Appointment },
      detail: detail('Book a slot', [
        'email_not_verified',
        'doctor_not_found',
        'slot_taken',
        'patient_conflict',
        'slot_unavailable',
        'hold_expired',
        'booking_limit'
      ])
    }
  )

const readingRoutes = ({ sql, verify }: Needs) =>
  new Elysia({ name: 'own appointments', prefix: '/v1/appointments' })
    .use(bearer(verify, 'patient', 'doctor'))
    .get('', ({ who, query }) => listOwn(sql, who, query), {
      query: t.Object({
        status: t.Optional(StatusOut),
        from: t.Optional(t.Union([LocalDate, Instant])),
        to: t.Optional(t.Union([LocalDate, Instant])),
        sort: t.Optional(t.Union([t.Literal('start'), t.Literal('-start')])),
        ...PageQuery
      }),
      response: { 200: PageOf(Appointment) },
      detail: { summary: 'My appointments', tags: ['Appointments'] }
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
        detail: { summary: 'One appointment', tags: ['Appointments'], 'x-problems': ['appointment_not_found'] } as object
      }
    )
    .get('/:id/history', ({ who, params }) => readHistory(sql, who, params.id), {
      params: Id,
      response: { 200: t.Array(Entry) },
      detail: { summary: 'Who did what when', tags: ['Appointments'], 'x-problems': ['appointment_not_found'] } as object
    })
    .get(
      '/:id/calendar.ics',
      async ({ who, params, set }) => {
        const file = calendarFile([await readOwn(sql, who, params.id)], who.role)
        set.headers['content-type'] = 'text/calendar; charset=utf-8'
        set.headers['content-disposition'] = 'attachment; filename="appointment.ics"'
        return file
      },
      { params: Id, detail: { summary: 'The calendar entry', tags: ['Appointments'], 'x-problems': ['appointment_not_found'] } as object }
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
      { params: Id, body: WithReason, response: { 200: Appointment }, detail: detail('Cancel with a reason', changing) }
    )
    .post(
      '/:id/reschedule',
      ({ body, params, who, request, set }) =>
        answer(needs, { request, who, body, set }, (db) =>
          move(db, who, { id: params.id, start: body.start, ifMatch: request.headers.get('if-match') }, needs.clock())
        ),
      {
        params: Id,
        body: t.Object({ start: Instant }, { additionalProperties: false }),
        response: { 200: Appointment },
        detail: detail('Move to another slot', [...changing, 'slot_taken', 'patient_conflict', 'slot_unavailable'])
      }
    )

const doctorRoutes = (needs: Needs) =>
  new Elysia({ name: 'changes by the doctor', prefix: '/v1/appointments' })
    .use(bearer(needs.verify, 'doctor'))
    .post('/:id/confirm', ({ params, who, request, set }) => byDoctor(needs, 'confirm', { params, who, request, set }), {
      params: Id,
      response: { 200: Appointment },
      detail: detail('Confirm a request', changing)
    })
    .post('/:id/decline', ({ body, params, who, request, set }) => byDoctor(needs, 'decline', { params, who, request, set }, body), {
      params: Id,
      body: WithReason,
      response: { 200: Appointment },
      detail: detail('Decline a request', changing)
    })
    .post('/:id/complete', ({ params, who, request, set }) => byDoctor(needs, 'complete', { params, who, request, set }), {
      params: Id,
      response: { 200: Appointment },
      detail: detail('The visit took place', changing)
    })
    .post('/:id/no-show', ({ params, who, request, set }) => byDoctor(needs, 'no_show', { params, who, request, set }), {
      params: Id,
      response: { 200: Appointment },
      detail: detail('The patient did not come', changing)
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
