import { Elysia } from 'elysia'
import { docs } from '#platform/docs/docs'
import { http, problems } from '#platform/http/app'
import { ops } from '#platform/http/health'
import { appointmentRoutes } from './appointments/routes.ts'
import { calendarRoutes } from './calendar/routes.ts'
import { holdRoutes } from './claims/routes.ts'
import { doctorRoutes } from './doctors/routes.ts'
import type { Needs } from './needs.ts'
import { peopleRoutes } from './people/routes.ts'
import { scheduleRoutes } from './schedule/routes.ts'
import { slotRoutes } from './slots/routes.ts'
import { streamRoutes } from './stream/routes.ts'
import { waitlistRoutes } from './waitlist/routes.ts'

// doctors/, people/ and waitlist/ still import the type from here; they are to import needs.ts
export type { Needs } from './needs.ts'

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
