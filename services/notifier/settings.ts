import { Type } from '@sinclair/typebox'
import { commonSettings, mailFrom, readSettings, text, url, whole } from '#platform/settings'

/** What the notifier reads from its environment. `SMTP_CONNECTIONS` is how many mails may be under way at once. */
export const settingsSchema = Type.Object({
  ...commonSettings,
  DATABASE_URL: url('postgres|postgresql'),
  DATABASE_POOL: whole(2, 200, { default: 20, examples: [20] }),
  RABBITMQ_URL: url('amqp|amqps'),
  AUTH_URL: text({ examples: ['http://auth:8000'] }),
  SMTP_URL: url('smtp|smtps', { examples: ['smtp://user:secret@mail.example.com:587'] }),
  SMTP_CONNECTIONS: whole(1, 100, { default: 10 }),
  MAIL_FROM: mailFrom(),
  PUBLIC_URL: url('https?', { default: 'http://localhost:8080' })
})

/** The notifier's settings; ends the process where one is wrong. */
export const notifierSettings = () => readSettings(settingsSchema)
