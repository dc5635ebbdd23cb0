import { resolve } from 'node:path'
import { type Static, Type } from '@sinclair/typebox'
import { oneOf, readSettings, text, url, whole } from '#platform/settings'

/** Every setting of `bun start`. */
export const startSchema = Type.Object({
  PORT: whole(1, 65535, { default: 8080, examples: [8080] }),
  MAILBOX_PORT: whole(1, 65535, { default: 1080, examples: [1080] }),
  DATA_DIR: text({ default: '.data' }),
  POSTGRES_URL: Type.Optional(url('postgres|postgresql', { examples: ['postgres://admin:secret@localhost:5432/healthmed'] })),
  RABBITMQ_URL: Type.Optional(url('amqp|amqps', { examples: ['amqp://user:secret@localhost:5672'] })),
  SMTP_URL: Type.Optional(url('smtp|smtps', { examples: ['smtp://localhost:25'] })),
  MAIL_FROM: Type.Optional(text({ examples: ['Health&Med <no-reply@clinic.example>'] })),
  DEMO_DATA: oneOf(['on', 'off'], 'on'),
  ADMIN_EMAIL: text({ default: 'admin@healthmed.example' }),
  ADMIN_PASSWORD: Type.Optional(text({ minLength: 12, examples: ['(12 characters or more)'] })),
  DOCTOR_APPROVAL: oneOf(['manual', 'auto'], 'manual'),
  EMAIL_VERIFICATION: oneOf(['required', 'optional'], 'required'),
  GATEWAY_WORKERS: whole(1, 64, { default: 1, examples: [2] }),
  RATE_LIMIT: oneOf(['on', 'off'], 'on'),
  LOG_LEVEL: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'silent'], 'info'),
  OTEL_EXPORTER_OTLP_ENDPOINT: Type.Optional(url('https?', { examples: ['http://localhost:4318'] }))
})

/** What `bun start` reads from the environment. */
export type StartSettings = Static<typeof startSchema>

/** The settings of `bun start`, `DATA_DIR` made absolute from where it was called. Ends the process where one is wrong. */
export function startSettings(): StartSettings {
  const settings = readSettings(startSchema)
  return { ...settings, DATA_DIR: resolve(settings.DATA_DIR) }
}
