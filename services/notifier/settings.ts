import { Type } from '@sinclair/typebox'
import { commonSettings, keys, mailFrom, publicUrl, readSettings, text, url, whole } from '#platform/setup/settings'
import { smtpCa, smtpUrl } from '#platform/setup/smtp'

/** What the notifier reads from its environment. `SMTP_CONNECTIONS` is how many mails may be under way at once. */
export const settingsSchema = Type.Object({
  ...commonSettings,
  DATABASE_URL: url('postgres|postgresql'),
  DATABASE_POOL: whole(2, 200, { default: 20, examples: [20] }),
  RABBITMQ_URL: url('amqp|amqps'),
  /** Encrypts the reasons that mails tell of. */
  ENCRYPTION_KEY: keys(),
  /** Open what auth and scheduling sealed in their events. */
  AUTH_EVENT_KEY: keys(),
  SCHEDULING_EVENT_KEY: keys(),
  KEEP_EMAILS_DAYS: whole(1, 36_500, { default: 180, examples: [180] }),
  AUTH_URL: text({ examples: ['http://auth:8000'] }),
  SMTP_URL: smtpUrl(),
  /** Given as SMTP_CA_FILE. */
  SMTP_CA: Type.Optional(smtpCa()),
  SMTP_CONNECTIONS: whole(1, 100, { default: 10 }),
  MAIL_FROM: mailFrom(),
  PUBLIC_URL: publicUrl({ default: 'http://localhost:8080' })
})

/** The notifier's settings; ends the process where one is wrong. */
export const notifierSettings = () => readSettings(settingsSchema)
