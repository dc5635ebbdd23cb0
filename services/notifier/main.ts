process.env.SERVICE_NAME ??= 'notifier'

import SQL from 'sql-template-strings'
import { connectBus } from '#platform/bus'
import { verifierOf } from '#platform/caller'
import { connect, one } from '#platform/db'
import { handlerOf, listen } from '#platform/http'
import { consumerOf } from '#platform/inbox'
import { trustAuth } from '#platform/keys'
import { consumersCheck, drain } from '#platform/ops'
import { stopOnSignal } from '#platform/stop'
import { countDeadLetters, deadLetterSubscription } from './admin/dead-letters.ts'
import { notifier } from './app.ts'
import { startDelivery } from './delivery/deliver.ts'
import { openSmtp } from './delivery/smtp.ts'
import { handlers } from './handlers.ts'
import { senderOf } from './mails/compose.ts'
import { startReminding } from './reminders/remind.ts'
import { notifierSettings } from './settings.ts'

const settings = notifierSettings()
const clock = () => Temporal.Now.instant()
const sql = connect(settings.DATABASE_URL, { name: 'notifier', max: settings.DATABASE_POOL })
const trust = await trustAuth(settings.AUTH_URL)
const consumer = consumerOf(sql, 'notifier', handlers)
const bus = await connectBus({
  url: settings.RABBITMQ_URL,
  name: 'notifier',
  subscription: [consumer.subscription, deadLetterSubscription(sql, clock)]
})
const consuming = consumer.start(bus)
const smtp = openSmtp(settings.SMTP_URL, { connections: settings.SMTP_CONNECTIONS, ca: settings.SMTP_CA })
const sender = senderOf(settings.MAIL_FROM, settings.PUBLIC_URL)
const delivery = startDelivery({ sql, smtp, sender, worker: crypto.randomUUID(), clock }, settings.SMTP_CONNECTIONS)
const reminding = startReminding(sql, clock)
const counting = setInterval(() => countDeadLetters(sql).catch(() => {}), 5_000)

const checks = [
  { name: 'database', critical: true, up: async () => (await one<{ up: boolean }>(sql, SQL`select true as up`)).up },
  { name: 'broker', critical: false, up: bus.connected },
  { name: 'smtp', critical: false, up: delivery.serverThere, why: smtp.trouble },
  consumersCheck(bus.isConsuming),
  { name: 'keys', critical: false, up: trust.ready }
]
const app = notifier({ sql, bus, verify: verifierOf(trust), clock, checks })
const server = listen(handlerOf(app), { port: settings.PORT, host: settings.HOST })

stopOnSignal([
  ['ready', drain],
  // none of these waits for another, and each may take seconds on a machine that is busy
  [
    'requests, events and mails',
    () => Promise.all([server.stop(), consuming.stop(), bus.stopConsuming(), reminding.stop(), delivery.stop(), clearInterval(counting)])
  ],
  ['bus', bus.close],
  ['trust', trust.stop],
  ['database', () => sql.end({ timeout: 2 })]
])
