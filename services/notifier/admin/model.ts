import { t } from 'elysia'
import { eg, IdOf, Instant, OptionalBody, PageOf, PageQuery } from '#platform/http/schema'

const statuses = ['pending', 'sending', 'sent', 'failed', 'superseded'] as const
/** Where a mail stands. */
export type MailStatus = (typeof statuses)[number]
const MailStatus = t.Unsafe<MailStatus>(
  t.Union(
    statuses.map((status) => t.Literal(status)),
    { description: 'Where the mail stands', examples: ['sent'] }
  )
)
const nullable = <T extends Parameters<typeof t.Union>[0][number]>(schema: T) => t.Union([schema, t.Null()])

/** A mail as an administrator sees it. */
export const Notification = t.Object({
  id: IdOf('notification'),
  eventId: IdOf('event'),
  event: t.String({ examples: ['healthmed.appointment.confirmed.v1'] }),
  template: t.String({ examples: ['appointment_confirmed'] }),
  appointmentId: nullable(IdOf('appointment')),
  recipientId: IdOf('user'),
  recipient: nullable(t.String({ description: 'Masked; null once the person was erased', examples: ['a***@example.com'] })),
  status: MailStatus,
  attempts: t.Number({ examples: [2] }),
  lastError: nullable(t.String({ description: 'What the mail server said last', examples: ['450 4.2.1 mailbox busy'] })),
  createdAt: eg(Instant, '2027-01-04T12:00:00Z'),
  nextAttemptAt: eg(nullable(Instant), null, 'Null where nothing more is to be done'),
  sentAt: nullable(eg(Instant, '2027-01-04T12:00:42Z'))
})
/** A page of them. */
export const NotificationPage = PageOf(Notification)
/** What a list of them can be narrowed to. */
export const NotificationQuery = t.Object({
  status: t.Optional(MailStatus),
  to: t.Optional(t.String({ minLength: 3, maxLength: 254, examples: ['ana@example.com'], description: 'A recipient: the whole address' })),
  event: t.Optional(
    t.String({
      minLength: 1,
      maxLength: 100,
      examples: ['appointment.confirmed'],
      description: 'What caused it, with or without `healthmed.` and version'
    })
  ),
  ...PageQuery
})

/** A message that could not be processed; its content is not shown, it may hold personal data. */
export const DeadLetter = t.Object({
  id: IdOf('dead letter'),
  queue: t.String({ examples: ['notifier.events.v1'] }),
  type: t.String({ examples: ['healthmed.appointment.confirmed.v1'] }),
  messageId: t.String({ examples: ['019b1a2c-0f41-7c8d-b0e2-57f9a3c16d80'] }),
  reason: t.String({ examples: ['the event does not match its schema'] }),
  failedAt: eg(Instant, '2027-01-04T12:00:05Z'),
  receivedAt: eg(Instant, '2027-01-04T12:00:06Z')
})
/** A page of them. */
export const DeadLetterPage = PageOf(DeadLetter)
/** Which to put back; without a body all. */
export const Replay = OptionalBody(t.Object({ ids: t.Optional(t.Array(IdOf('dead letter'), { minItems: 1, maxItems: 1000 })) }))
/** How many were put back. */
export const Replayed = t.Object({ replayed: t.Number({ examples: [1] }) })
