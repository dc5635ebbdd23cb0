import { Type } from '@sinclair/typebox'
import { commonSettings, key, keys, mailFrom, networks, oneOf, publicUrl, text, url, whole } from '#platform/setup/settings'

/** What scheduling reads from its environment. */
export const settingsSchema = Type.Object({
  ...commonSettings,
  DATABASE_URL: url('postgres|postgresql', { examples: ['postgres://scheduling:secret@localhost:5432/healthmed'] }),
  DATABASE_POOL: whole(2, 200, { default: 20, examples: [20] }),
  RABBITMQ_URL: url('amqp|amqps', { examples: ['amqp://scheduling:secret@localhost:5672'] }),
  /** Encrypts what patients and doctors write as their reasons. */
  ENCRYPTION_KEY: keys(),
  /** Seals those reasons in events for the notifier, which knows it as SCHEDULING_EVENT_KEY. */
  EVENT_KEY: keys(),
  KEEP_IDEMPOTENCY_DAYS: whole(1, 365, { default: 1, examples: [1] }),
  AUTH_URL: text({ examples: ['http://auth:8000'] }),
  PUBLIC_URL: publicUrl({ default: 'http://localhost:8080' }),
  MAIL_FROM: mailFrom(),
  EMAIL_VERIFICATION: oneOf(['required', 'optional'], 'required'),
  /** Makes client addresses comparable without storing them. */
  INDEX_KEY: key(),
  /** Whose `X-Forwarded-For` is believed: addresses or CIDR blocks of the gateways. */
  TRUSTED_PROXIES: networks({ default: '127.0.0.0/8,::1', examples: ['10.0.0.0/8'] }),
  RATE_LIMIT: oneOf(['on', 'off'], 'on'),
  BOOKING_LIMIT: whole(1, 1000, { default: 20, examples: [20] }),
  BOOKING_LIMIT_PER_SPECIALTY: whole(1, 1000, { default: 5, examples: [5] })
})
