import { Elysia, t } from 'elysia'
import { about } from '#platform/docs/about'
import { ById, PageOf, PageQuery } from '#platform/http/schema'
import { bearer } from '#platform/identity/caller'
import type { Needs } from '../needs.ts'
import { addException, listExceptions, removeException } from './exceptions.ts'
import { ExceptionInput, ExceptionMade, ExceptionOut, Published, Schedule, ScheduleInput } from './model.ts'
import { publishSchedule, readSchedule } from './publish.ts'

/** A doctor's own weekly hours and exceptions. */
export const scheduleRoutes = ({ sql, verify, clock }: Needs) =>
  new Elysia({ name: 'schedule', prefix: '/v1/doctors/me', detail: { tags: ['Practice'] } })
    .use(bearer(verify, 'doctor'))
    .get('/schedule', ({ who }) => readSchedule(sql, who), {
      response: { 200: Schedule },
      detail: about({
        summary: 'My weekly hours',
        description: 'As they were published last. Nobody finds a doctor without hours.',
        answer: 'The weekly hours'
      })
    })
    .put('/schedule', ({ body, who }) => publishSchedule(sql, who, body, clock()), {
      body: ScheduleInput,
      response: { 200: Published },
      detail: about({
        summary: 'Replace my weekly hours',
        description:
          'All rules at once; two of one weekday may not overlap while both are in force. Appointments that now lie outside (`conflicts`) stay until somebody moves or cancels them; new slots go to those who wait for them first.',
        answer: 'The hours as they are now, and the appointments outside of them',
        problems: ['schedule_overlap', 'invalid_window']
      })
    })
    .get('/exceptions', ({ who, query }) => listExceptions(sql, who, query), {
      query: t.Object(PageQuery),
      response: { 200: PageOf(ExceptionOut) },
      detail: about({
        summary: 'My exceptions',
        description: 'By their first day, past ones included until they are deleted.',
        answer: 'A page of exceptions'
      })
    })
    .post('/exceptions', async ({ body, who, status }) => status(201, await addException(sql, who, body, clock())), {
      body: ExceptionInput,
      response: { 201: ExceptionMade },
      detail: about({
        summary: 'Add an exception',
        description:
          '`closed` wins over `open` and over the weekly hours. Appointments that now lie outside (`conflicts`) stay until somebody moves or cancels them. It may span 366 days, and there may be 500 (`conflict`).',
        answer: 'The exception, and the appointments outside of the hours',
        problems: ['invalid_window', 'range_too_long', 'conflict']
      })
    })
    .delete(
      '/exceptions/:id',
      async ({ params, who, set }) => {
        await removeException(sql, who, params.id, clock())
        set.status = 204
      },
      {
        params: ById('exception'),
        detail: about({
          summary: 'Take an exception back',
          description: 'The weekly hours hold again for its days; slots that this adds go to those who wait for them first.',
          answer: 'The exception is gone'
        })
      }
    )
