import { Elysia } from 'elysia'
import { entryRoutes } from '../calendar/entry-routes.ts'
import type { Needs } from '../needs.ts'
import { doctorRoutes } from './doctor-routes.ts'
import { partyRoutes } from './party-routes.ts'
import { patientRoutes } from './patient-routes.ts'
import { readingRoutes } from './reading-routes.ts'

/** All routes of appointments, by who may call them. */
export const appointmentRoutes = (needs: Needs) =>
  new Elysia({ name: 'appointments', detail: { tags: ['Appointments'] } })
    .use(patientRoutes(needs))
    .use(readingRoutes(needs))
    .use(entryRoutes(needs))
    .use(partyRoutes(needs))
    .use(doctorRoutes(needs))
