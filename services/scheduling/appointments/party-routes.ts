import { Elysia, t } from 'elysia'
import { ById, eg, Instant } from '#platform/http/schema'
import { bearer } from '#platform/identity/caller'
import type { Needs } from '../needs.ts'
import { changing, exampleAfter } from './about.ts'
import { answerOnce } from './answer-once.ts'
import { change } from './change.ts'
import { Appointment, WithReason } from './model.ts'
import { move } from './move.ts'

const Id = ById('appointment')

/** What both the patient and the doctor can do to an appointment. */
export const partyRoutes = (needs: Pick<Needs, 'sql' | 'verify' | 'clock' | 'limits'>) =>
  new Elysia({ name: 'changes by a party', prefix: '/v1/appointments' })
    .use(bearer(needs.verify, 'patient', 'doctor'))
    .post(
      '/:id/cancel',
      ({ body, params, who, request, set }) =>
        answerOnce(needs.sql, { request, who, body, set }, (db) =>
          change(db, 'cancel', who, { id: params.id, reason: body.reason, ifMatch: request.headers.get('if-match') }, needs.clock())
        ),
      {
        params: Id,
        body: WithReason,
        response: { 200: Appointment },
        detail: changing({
          summary: 'Cancel with a reason',
          description:
            'A requested or confirmed one, before its start; a patient no later than the doctor’s `cancellationNoticeMinutes` before (`too_late`). Both are mailed, and the slot is free at once or goes to the first who waits.',
          example: exampleAfter('cancelled', { statusReason: 'The doctor is travelling that week' })
        })
      }
    )
    .post(
      '/:id/reschedule',
      ({ body, params, who, request, set }) =>
        answerOnce(needs.sql, { request, who, body, set }, (db) =>
          move(
            db,
            who,
            { id: params.id, start: body.start, ifMatch: request.headers.get('if-match') },
            { now: needs.clock(), limits: needs.limits }
          )
        ),
      {
        params: Id,
        body: t.Object(
          { start: eg(Instant, '2027-01-06T13:00:00Z', 'The start of a free slot of the same doctor') },
          { additionalProperties: false }
        ),
        response: { 200: Appointment },
        detail: changing({
          summary: 'Move to another slot',
          description:
            'In one step: the old slot is given up only with the new one got. By the patient it is `requested` again (`confirmed` where the doctor confirms at once), by the doctor `confirmed`; both are mailed. The notice that a patient must keep is that of a cancellation. A patient moves appointments as often an hour and a day as they book (`rate_limited`).',
          example: exampleAfter('requested', { start: '2027-01-06T13:00:00Z', end: '2027-01-06T13:30:00Z' }),
          problems: ['doctor_not_found', 'slot_taken', 'patient_conflict', 'slot_unavailable', 'rate_limited']
        })
      }
    )
