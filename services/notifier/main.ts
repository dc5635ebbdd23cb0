process.env.SERVICE_NAME ??= 'notifier'

import SQL from 'sql-template-strings'
import { connect, one } from '#platform/data/db'
import { openKeyRing } from '#platform/data/key-ring'
import { startResealing } from '#platform/data/reseal'
import { sealOfSetting } from '#platform/data/seal'
import { connectBus } from '#platform/events/bus'
import { consumerOf } from '#platform/events/inbox'
import { handlerOf, listen } from '#platform/http/app'
import { consumersCheck, drain } from '#platform/http/health'
import { trustAuth } from '#platform/identity/auth-keys'
import { verifierOf } from '#platform/identity/caller'
import { stopOnSignal } from '#platform/setup/stop'
import { countDeadLetters, deadLetterSubscription } from './admin/dead-letters.ts'
import { notifier } from './app.ts'
import { startDelivery } from './delivery/deliver.ts'
import { openSmtp } from './delivery/smtp.ts'
import { handlersOf } from './handlers.ts'
import { senderOf } from './mails/compose.ts'
import { startPurging } from './purge.ts'
import { startReminding } from './reminders/remind.ts'
import { sealedTables } from './secrets.ts'
import { notifierSettings } from './settings.ts'

const settings = notifierSettings()
const clock = () => Temporal.Now.instant()
const sql = connect(settings.DATABASE_URL, { name: 'notifier', max: settings.DATABASE_POOL })
const trust = await trustAuth(settings.AUTH_URL)
const ring = await openKeyRing(sql, settings.ENCRYPTION_KEY, clock)
const secrets = {
  own: ring,
  ofAuth: sealOfSetting(settings.AUTH_EVENT_KEY),
  ofScheduling: sealOfSetting(settings.SCHEDULING_EVENT_KEY)
}
const consumer = consumerOf(sql, 'notifier', handlersOf(secrets))
const bus = await connectBus({
  url: settings.RABBITMQ_URL,
  name: 'notifier',
  subscription: [consumer.subscription, deadLetterSubscription(sql, clock)]
})
const consuming = consumer.start(bus)
const smtp = openSmtp(settings.SMTP_URL, { connections: settings.SMTP_CONNECTIONS, ca: settings.SMTP_CA })
const sender = senderOf(settings.MAIL_FROM, settings.PUBLIC_URL)
const delivery = startDelivery({ sql, smtp, sender, secrets, worker: crypto.randomUUID(), clock }, settings.SMTP_CONNECTIONS)
const reminding = startReminding(sql, clock)
const resealing = startResealing(sql, ring, sealedTables, clock)
const purging = startPurging(sql, clock, { emailDays: settings.KEEP_EMAILS_DAYS })
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
  ['background jobs', () => Promise.all([resealing.stop(), purging.stop(), ring.stop()])],
  ['bus', bus.close],
  ['trust', trust.stop],
  ['database', () => sql.end({ timeout: 2 })]
])
