import { demoLogins } from './demo-people.ts'
import { type AdminLogin, noAdmin } from './first-admin.ts'
import type { Parts } from './parts.ts'
import type { StartSettings } from './start-settings.ts'
import { table } from './terminal.ts'

/**
 * What is printed when all is up: where things are, and who can log in. `first` is the admin that this start made: only then is the password known for
 * sure, and it is printed this once.
 */
export function welcome(settings: StartSettings, parts: Parts, first: AdminLogin | undefined, admins: string[]): string {
  const gateway = settings.PUBLIC_URL?.replace(/\/+$/, '') ?? `http://localhost:${settings.PORT}`
  const addresses = [
    ['API', `${gateway}/v1`],
    ['Swagger pages', `${gateway}/docs`],
    ['Operations', `${gateway}/ops`],
    ['Mailbox', parts.mailboxUrl ? `http://localhost:${settings.MAILBOX_PORT}` : `mails go to ${new URL(parts.smtpUrl).host}`],
    ['Health', `${gateway}/health`]
  ]
  if (parts.brokerPage) addresses.push(['RabbitMQ', `${parts.brokerPage}  (admin, password in ${settings.DATA_DIR}/secrets.json)`])
  const logins = [...adminRows(first, admins), ...(settings.DEMO_DATA === 'on' ? demoLogins() : [])]
  return `${table(['where', 'address'], addresses)}\n\n${table(['who', 'log in as', 'password'], logins)}`
}

function adminRows(first: AdminLogin | undefined, admins: string[]): string[][] {
  if (admins.length === 0) return [['admin', '(none)', noAdmin(first?.identifier ?? 'ADMIN_EMAIL')]]
  return admins.map((email) => [
    'admin',
    email,
    first && email === first.identifier.trim().toLowerCase()
      ? first.password
      : '(not shown again; `bun run ops admin reset EMAIL` makes a new one)'
  ])
}
