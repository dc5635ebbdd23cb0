import { Elysia } from 'elysia'
import { about } from '#platform/docs/about'
import { ById } from '#platform/http/schema'
import { bearer } from '#platform/identity/caller'
import { readOwn } from '../appointments/list.ts'
import type { Needs } from '../needs.ts'
import { calendarFile } from './file.ts'
import { calendarText } from './model.ts'

/** The calendar file of one appointment, for its patient and its doctor. */
export const entryRoutes = ({ sql, verify, organizer }: Pick<Needs, 'sql' | 'verify' | 'organizer'>) =>
  new Elysia({ name: 'calendar entry', prefix: '/v1/appointments' }).use(bearer(verify, 'patient', 'doctor')).get(
    '/:id/calendar.ics',
    async ({ who, params, set }) => {
      const file = calendarFile(await readOwn(sql, who, params.id), who.role, organizer)
      set.headers['content-type'] = 'text/calendar; charset=utf-8'
      set.headers['content-disposition'] = 'attachment; filename="appointment.ics"'
      return file
    },
    {
      params: ById('appointment'),
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
