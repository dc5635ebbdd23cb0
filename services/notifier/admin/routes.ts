import { Elysia, t } from 'elysia'
import type { Sql } from '#platform/data/db'
import { about } from '#platform/docs/about'
import type { Bus } from '#platform/events/bus'
import { ById, PageQuery } from '#platform/http/schema'
import { bearer, type Verify } from '#platform/identity/caller'
import { listDeadLetters, replayDeadLetters } from './dead-letters.ts'
import { DeadLetterPage, Notification, NotificationPage, NotificationQuery, Replay, Replayed } from './model.ts'
import { listNotifications, resend } from './notifications.ts'

type Needs = { sql: Sql; bus: Bus; verify: Verify; clock: () => Temporal.Instant }

/** The delivery log and the dead letters, for administrators. */
export const adminRoutes = ({ sql, bus, verify, clock }: Needs) =>
  new Elysia({ name: 'admin', prefix: '/v1/admin', detail: { tags: ['Notifications'] } })
    .use(bearer(verify, 'admin'))
    .get('/notifications', ({ query }) => listNotifications(sql, query), {
      query: NotificationQuery,
      response: { 200: NotificationPage },
      detail: about({
        summary: 'What was or will be sent, the newest first',
        description:
          'One entry for each mail and recipient, reminders that are not due yet among them. Addresses are masked and the text is not shown. `superseded` mails never leave: a later change made them untrue.',
        answer: 'A page of mails'
      })
    })
    .post(
      '/notifications/:id/resend',
      async ({ params, status }) => status(202, await resend(sql, params.id, new Date(clock().epochMilliseconds))),
      {
        params: ById('notification'),
        response: { 202: Notification },
        detail: about({
          summary: 'Send a mail again',
          description:
            'It is due at once, also where it has left already, and bears the same Message-ID. What is being sent, is superseded, held a token that is gone, or has no recipient any more is a `conflict`.',
          answer: 'The mail, in line again',
          example: { status: 'pending', attempts: 0, nextAttemptAt: '2027-01-04T12:30:00Z' },
          problems: ['conflict']
        })
      }
    )
    .get('/dead-letters', ({ query }) => listDeadLetters(sql, query), {
      query: t.Object(PageQuery),
      response: { 200: DeadLetterPage },
      detail: about({
        summary: 'Messages that could not be processed',
        description:
          'Of every service, the oldest first. Their content is not shown, for it may hold personal data; they stay until they are put back.',
        answer: 'A page of dead letters'
      })
    })
    .post('/dead-letters/replay', async ({ body, status }) => status(202, { replayed: await replayDeadLetters(sql, bus, body?.ids) }), {
      body: Replay,
      response: { 202: Replayed },
      detail: about({
        summary: 'Put dead letters back, all or those named',
        description:
          'At most 1000 at once, each into the queue that it came from; without a body, or without `ids`, the oldest. An id that is not there is passed over. What fails again comes back as a dead letter.',
        answer: 'How many are in their queues again'
      })
    })
