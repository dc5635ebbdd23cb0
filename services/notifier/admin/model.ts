import { t } from 'elysia'
import { Instant, PageOf, PageQuery, Uuid } from '#platform/schema'

const statuses = ['pending', 'sending', 'sent', 'failed', 'superseded'] as const
/** Where a mail stands. */
export type MailStatus = (typeof statuses)[number]
const MailStatus = t.Unsafe<MailStatus>(t.Union(statuses.map((status) => t.Literal(status))))
const nullable = <T extends Parameters<typeof t.Union>[0][number]>(schema: T) => t.Union([schema, t.Null()])

/** A mail as an administrator sees it. */
export const Notification = t.Object({
  id: Uuid,
  eventId: Uuid,
  event: t.String({ examples: ['healthmed.appointment.confirmed.v1'] }),
  template: t.String({ examples: ['appointment_confirmed'] }),
  appointmentId: nullable(Uuid),
  recipientId: Uuid,
  recipient: nullable(t.String({ description: 'Masked; null once the person was erased', examples: ['j***@example.com'] })),
  status: MailStatus,
  attempts: t.Number(),
  lastError: nullable(t.String()),
  createdAt: Instant,
  nextAttemptAt: nullable(Instant),
  sentAt: nullable(Instant)
})
/** A page of them. */
export const NotificationPage = PageOf(Notification)
/** What a list of them can be narrowed to. */
export const NotificationQuery = t.Object({
  status: t.Optional(MailStatus),
  to: t.Optional(t.String({ minLength: 3, maxLength: 254, examples: ['joao@example.com'] })),
  event: t.Optional(t.String({ minLength: 1, maxLength: 100, examples: ['appointment.confirmed'] })),
  ...PageQuery
})

/** A message that could not be processed; its content is not shown, it may hold personal data. */
export const DeadLetter = t.Object({
  id: Uuid,
  queue: t.String({ examples: ['notifier.events.v1'] }),
  type: t.String({ examples: ['healthmed.appointment.confirmed.v1'] }),
  messageId: t.String(),
  reason: t.String(),
  failedAt: Instant,
  receivedAt: Instant
})
/** A page of them. */
export const DeadLetterPage = PageOf(DeadLetter)
/** Which to put back; without a body all. */
export const Replay = t.Optional(t.Object({ ids: t.Optional(t.Array(Uuid, { minItems: 1, maxItems: 1000 })) }))
