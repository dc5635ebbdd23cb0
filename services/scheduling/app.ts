import { Elysia } from 'elysia'
import type { Mailbox } from '#platform/calendar'
import type { Verify } from '#platform/caller'
import type { Sql } from '#platform/db'
import { docs } from '#platform/docs'
import type { EndedSessions } from '#platform/ended'
import { http, problems } from '#platform/http'
import { type Check, ops } from '#platform/ops'
import type { ClientTag } from './appointments/client.ts'
import type { Limits } from './appointments/limits.ts'
import { appointmentRoutes } from './appointments/routes.ts'
import { calendarRoutes } from './calendar/routes.ts'
import { doctorRoutes } from './doctors/routes.ts'
import { holdRoutes } from './holds/routes.ts'
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
