import { Elysia, t } from 'elysia'
import { bearer } from '#platform/caller'
import { PageOf, PageQuery, Uuid } from '#platform/schema'
import type { Needs } from '../app.ts'
import { addException, listExceptions, removeException } from './exceptions.ts'
import { ExceptionMade, ExceptionOut, ExceptionWish, Published, Schedule, ScheduleWish } from './model.ts'
import { publishSchedule, readSchedule } from './publish.ts'

/** A doctor's own weekly hours and exceptions. */
export const scheduleRoutes = ({ sql, verify, clock }: Needs) =>
  new Elysia({ name: 'schedule', prefix: '/v1/doctors/me' })
    .use(bearer(verify, 'doctor'))
    .get('/schedule', ({ who }) => readSchedule(sql, who), {
      response: { 200: Schedule },
      detail: { summary: 'My weekly hours', tags: ['Practice'] }
    })
    .put('/schedule', ({ body, who }) => publishSchedule(sql, who, body, clock()), {
      body: ScheduleWish,
      response: { 200: Published },
      detail: {
        summary: 'Replace my weekly hours',
        description: 'Answers the appointments that now lie outside of the hours; they stay until somebody moves or cancels them.',
        tags: ['Practice'],
        'x-problems': ['schedule_overlap', 'invalid_window']
      } as object
    })
    .get('/exceptions', ({ who, query }) => listExceptions(sql, who, query), {
      query: t.Object(PageQuery),
      response: { 200: PageOf(ExceptionOut) },
      detail: { summary: 'My exceptions', tags: ['Practice'] }
    })
    .post('/exceptions', async ({ body, who, status }) => status(201, await addException(sql, who, body, clock())), {
      body: ExceptionWish,
      response: { 201: ExceptionMade },
      detail: { summary: 'Add an exception', tags: ['Practice'], 'x-problems': ['invalid_window', 'range_too_long', 'conflict'] } as object
    })
    .delete(
      '/exceptions/:id',
      async ({ params, who, set }) => {
        await removeException(sql, who, params.id, clock())
        set.status = 204
      },
      {
        params: t.Object({ id: Uuid }),
        detail: { summary: 'Take an exception back', tags: ['Practice'] }
      }
    )
