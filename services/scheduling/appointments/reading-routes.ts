import { Elysia, t } from 'elysia'
import { about } from '#platform/docs/about'
import { ById, Instant, LocalDate, PageOf, PageQuery } from '#platform/http/schema'
import { bearer } from '#platform/identity/caller'
import type { Needs } from '../needs.ts'
import { listOwn, readHistory, readOwn } from './list.ts'
import { Appointment, appointmentOf, HistoryEntry, StatusOut } from './model.ts'

const Id = ById('appointment')

/** An appointment, its history and the list, for its patient and its doctor. */
export const readingRoutes = ({ sql, verify }: Pick<Needs, 'sql' | 'verify'>) =>
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
