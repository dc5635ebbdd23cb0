import { Elysia, t } from 'elysia'
import type { Bus } from '#platform/bus'
import { bearer, type Verify } from '#platform/caller'
import type { Sql } from '#platform/db'
import { PageQuery, Uuid } from '#platform/schema'
import { listDeadLetters, replayDeadLetters } from './dead-letters.ts'
import { DeadLetterPage, Notification, NotificationPage, NotificationQuery, Replay } from './model.ts'
import { listNotifications, resend } from './notifications.ts'

type Needs = { sql: Sql; bus: Bus; verify: Verify; clock: () => Temporal.Instant }
const about = { tags: ['Notifications'] }

/** The delivery log and the dead letters, for administrators. */
export const adminRoutes = ({ sql, bus, verify, clock }: Needs) =>
  new Elysia({ name: 'admin', prefix: '/v1/admin' })
    .use(bearer(verify, 'admin'))
    .get('/notifications', ({ query }) => listNotifications(sql, query), {
      query: NotificationQuery,
      response: { 200: NotificationPage },
      detail: {
        ...about,
        operationId: 'listNotifications',
        summary: 'What was or will be sent, the newest first',
        'x-problems': ['validation_failed']
      }
    })
    .post(
      '/notifications/:id/resend',
      async ({ params, status }) => status(202, await resend(sql, params.id, new Date(clock().epochMilliseconds))),
      {
        params: t.Object({ id: Uuid }),
        response: { 202: Notification },
        detail: { ...about, operationId: 'resendNotification', summary: 'Send a mail again', 'x-problems': ['not_found', 'conflict'] }
      }
    )
    .get('/dead-letters', ({ query }) => listDeadLetters(sql, query), {
      query: t.Object(PageQuery),
      response: { 200: DeadLetterPage },
      detail: {
        ...about,
        operationId: 'listDeadLetters',
        summary: 'Messages that could not be processed',
        'x-problems': ['validation_failed']
      }
    })
    .post('/dead-letters/replay', async ({ body, status }) => status(202, { replayed: await replayDeadLetters(sql, bus, body?.ids) }), {
      body: Replay,
      response: { 202: t.Object({ replayed: t.Number() }) },
      detail: {
        ...about,
        operationId: 'replayDeadLetters',
        summary: 'Put dead letters back, all or those named',
        'x-problems': ['validation_failed']
      }
    })
