import { Type } from '@sinclair/typebox'
import { commonSettings, emailAddress, key, keys, networks, oneOf, text, url, whole } from '#platform/setup/settings'

/** What auth reads from its environment. */
export const settingsSchema = Type.Object({
  ...commonSettings,
  DATABASE_URL: url('postgres|postgresql', { examples: ['postgres://auth:secret@localhost:5432/healthmed'] }),
  DATABASE_POOL: whole(2, 200, { default: 20, examples: [20] }),
  RABBITMQ_URL: url('amqp|amqps', { examples: ['amqp://auth:secret@localhost:5672'] }),
  /** Encrypts CPF, phone, TOTP secrets and private signing keys. */
  ENCRYPTION_KEY: keys(),
  /** Seals the tokens of mails for the notifier, which knows it as AUTH_EVENT_KEY. */
  EVENT_KEY: keys(),
  /** Makes what is looked up without being readable: CPF, addresses of failed attempts. */
  INDEX_KEY: key(),
  ADMIN_EMAIL: Type.Optional(emailAddress()),
  ADMIN_PASSWORD: Type.Optional(text({ minLength: 12, examples: ['(12 characters or more)'] })),
  KEEP_AUDIT_DAYS: whole(365, 36_500, { default: 1826, examples: [1826] }),
  DOCTOR_APPROVAL: oneOf(['manual', 'auto'], 'manual'),
  /** Whose tokens do nothing but enrol a second factor until there is one. */
  REQUIRE_MFA: text({ pattern: '^(none|(admin|doctor)(,(admin|doctor))?)$', default: 'none', examples: ['admin,doctor'] }),
  EMAIL_VERIFICATION: oneOf(['required', 'optional'], 'required'),
  SCHEDULING_URL: text({ examples: ['http://scheduling:8000'] }),
  NOTIFIER_URL: text({ examples: ['http://notifier:8000'] }),
  /** Whose `X-Forwarded-For` is believed: addresses or CIDR blocks of the gateways. */
  TRUSTED_PROXIES: networks({ default: '127.0.0.0/8,::1', examples: ['10.0.0.0/8'] }),
  ARGON2_MEMORY_KIB: whole(7168, 1_048_576, { default: 19456, examples: [19456] }),
  ARGON2_PASSES: whole(1, 20, { default: 2, examples: [2] })
})
