import { Type } from '@sinclair/typebox'
import { commonSettings, mailFrom, oneOf, publicUrl, text, url, whole } from '#platform/settings'

/** What scheduling reads from its environment. */
export const settingsSchema = Type.Object({
  ...commonSettings,
  DATABASE_URL: url('postgres|postgresql', { examples: ['postgres://scheduling:secret@localhost:5432/healthmed'] }),
  DATABASE_POOL: whole(2, 200, { default: 20, examples: [20] }),
  RABBITMQ_URL: url('amqp|amqps', { examples: ['amqp://scheduling:secret@localhost:5672'] }),
  AUTH_URL: text({ examples: ['http://auth:8000'] }),
  PUBLIC_URL: publicUrl({ default: 'http://localhost:8080' }),
  MAIL_FROM: mailFrom(),
  EMAIL_VERIFICATION: oneOf(['required', 'optional'], 'required'),
  BOOKING_LIMIT: whole(1, 1000, { default: 20, examples: [20] }),
  BOOKING_LIMIT_PER_SPECIALTY: whole(1, 1000, { default: 5, examples: [5] })
})
