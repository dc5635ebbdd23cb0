import { Elysia } from 'elysia'
import type { Sql } from '#platform/data/db'
import { docs } from '#platform/docs/docs'
import type { Mailbox } from '#platform/events/calendar-entry'
import { http, problems } from '#platform/http/app'
import { type Check, ops } from '#platform/http/health'
import type { Verify } from '#platform/identity/caller'
import type { EndedSessions } from '#platform/identity/ended-sessions'
import { appointmentRoutes } from './appointments/routes.ts'
import { calendarRoutes } from './calendar/routes.ts'
import type { ClientTag } from './claims/client.ts'
import type { Limits } from './claims/limits.ts'
import { holdRoutes } from './claims/routes.ts'
import { doctorRoutes } from './doctors/routes.ts'
import { peopleRoutes } from './people/routes.ts'
import type { Verification } from './people/verified.ts'
import { scheduleRoutes } from './schedule/routes.ts'
import { slotRoutes } from './slots/routes.ts'
import type { Changes } from './stream/changes.ts'
import { streamRoutes } from './stream/routes.ts'
import { waitlistRoutes } from './waitlist/routes.ts'

/** What the routes need: the database, the check of tokens, the clock, the settings. */
export type Needs = {
  sql: Sql
  verify: Verify
  /** Has what runs on behalf of a session ended with it. */
  endWith: EndedSessions['endWith']
  clock: () => Temporal.Instant
  limits: Limits
  verification: Verification
  clientTag: ClientTag
  publicUrl: string
  /** Who invites, as the mails name it. */
  organizer: Mailbox
  changes: Changes
  checks: Check[]
}

/** The scheduling service: doctors, schedules, slots, appointments. */
export const scheduling = (needs: Needs) =>
  new Elysia(http)
    .use(problems)
    .use(docs('Scheduling', 'Doctors, their hours, free slots and appointments.'))
    .use(ops(needs.checks))
    .use(doctorRoutes(needs))
    .use(scheduleRoutes(needs))
    .use(slotRoutes(needs))
    .use(holdRoutes(needs))
    .use(appointmentRoutes(needs))
    .use(waitlistRoutes(needs))
    .use(calendarRoutes(needs))
    .use(streamRoutes(needs))
    .use(peopleRoutes(needs))
