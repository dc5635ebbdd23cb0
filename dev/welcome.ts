import { demoLogins } from './demo-people.ts'
import type { Parts } from './parts.ts'
import type { StartSettings } from './start-settings.ts'
import { table } from './terminal.ts'

/** What is printed when all is up: where things are, and who can log in. */
export function welcome(settings: StartSettings, parts: Parts, admin: { identifier: string; password: string }): string {
  const gateway = settings.PUBLIC_URL?.replace(/\/+$/, '') ?? `http://localhost:${settings.PORT}`
  const addresses = [
    ['API', `${gateway}/v1`],
    ['Swagger pages', `${gateway}/docs`],
    ['Operations', `${gateway}/ops`],
    ['Mailbox', parts.mailboxUrl ? `http://localhost:${settings.MAILBOX_PORT}` : `mails go to ${new URL(parts.smtpUrl).host}`],
    ['Health', `${gateway}/health`]
  ]
  if (parts.brokerPage) addresses.push(['RabbitMQ', `${parts.brokerPage}  (admin, password in ${settings.DATA_DIR}/secrets.json)`])
  const logins = [['admin', admin.identifier, admin.password], ...(settings.DEMO_DATA === 'on' ? demoLogins() : [])]
  return `${table(['where', 'address'], addresses)}\n\n${table(['who', 'log in as', 'password'], logins)}`
}
