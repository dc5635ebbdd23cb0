import { Elysia } from 'elysia'
import { ById } from '#platform/http/schema'
import { bearer } from '#platform/identity/caller'
import type { Needs } from '../needs.ts'
import { changing, exampleAfter } from './about.ts'
import { answerOnce, type WriteRequest } from './answer-once.ts'
import { change } from './change.ts'
import { Appointment, WithReason } from './model.ts'

const Id = ById('appointment')

type DoctorNeeds = Pick<Needs, 'sql' | 'verify' | 'clock'>

/** What only the doctor can do to an appointment. */
export const doctorRoutes = (needs: DoctorNeeds) =>
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

type DoctorRequest = Omit<WriteRequest, 'body'> & { params: { id: string } }

const byDoctor = (
  needs: DoctorNeeds,
  action: 'confirm' | 'decline' | 'complete' | 'no_show',
  { params, who, request, set }: DoctorRequest,
  body: { reason?: string } = {}
) =>
  answerOnce(needs.sql, { request, who, body, set }, (db) =>
    change(db, action, who, { id: params.id, reason: body.reason, ifMatch: request.headers.get('if-match') }, needs.clock())
  )
