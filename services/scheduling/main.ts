import SQL from 'sql-template-strings'
import { connect, rows } from '#platform/data/db'
import { openKeyRing } from '#platform/data/key-ring'
import { startResealing } from '#platform/data/reseal'
import { sealOfSetting } from '#platform/data/seal'
import { connectBus } from '#platform/events/bus'
import { mailboxOf } from '#platform/events/calendar-entry'
import { consumerOf } from '#platform/events/inbox'
import { startRelay } from '#platform/events/outbox'
import { handlerOf, listen } from '#platform/http/app'
import { clientReader } from '#platform/http/client-address'
import { consumersCheck, drain, eventsCheck } from '#platform/http/health'
import { purgeIdempotencyKeys } from '#platform/http/idempotency'
import { trustAuth } from '#platform/identity/auth-keys'
import { verifierOf } from '#platform/identity/caller'
import { describeError, log } from '#platform/setup/log'
import { readSettings } from '#platform/setup/settings'
import { stopOnSignal } from '#platform/setup/stop'
import { scheduling } from './app.ts'
import { startExpiry } from './appointments/expire.ts'
import { clientTags } from './claims/client.ts'
import { peopleHandlers } from './people/follow.ts'
import { useKeys } from './privacy/reasons.ts'
import { sealedTables } from './privacy/tables.ts'
import { startLearning } from './search/search-by-next-slot.ts'
import { settingsSchema } from './settings.ts'
import { followChanges } from './stream/changes.ts'

const settings = readSettings(settingsSchema)
const clock = () => Temporal.Now.instant()
const sql = connect(settings.DATABASE_URL, { name: 'scheduling', max: settings.DATABASE_POOL })
const trust = await trustAuth(settings.AUTH_URL)
const ring = await openKeyRing(sql, settings.ENCRYPTION_KEY, clock)
useKeys(ring, sealOfSetting(settings.EVENT_KEY))
const consumer = consumerOf(sql, 'scheduling', peopleHandlers(clock))
const bus = await connectBus({ url: settings.RABBITMQ_URL, name: 'scheduling', subscription: consumer.subscription })
const consuming = consumer.start(bus)
const relay = startRelay(sql, bus, 'scheduling')
const changes = await followChanges(sql)
const stopExpiry = startExpiry(sql, clock)
const stopLearning = startLearning(sql, clock)
const resealing = startResealing(sql, ring, sealedTables, clock)
const forgetKeys = () => purgeIdempotencyKeys(sql, clock(), settings.KEEP_IDEMPOTENCY_DAYS)
const purge = setInterval(() => forgetKeys().catch((error) => log.warn(describeError(error), 'purging failed')), 600_000)

const app = scheduling({
  sql,
  verify: verifierOf(trust),
  endWith: trust.endWith,
  clock,
  limits: { inAll: settings.BOOKING_LIMIT, perSpecialty: settings.BOOKING_LIMIT_PER_SPECIALTY },
  verification: settings.EMAIL_VERIFICATION,
  clientTag: settings.RATE_LIMIT === 'on' ? clientTags(clientReader(settings.TRUSTED_PROXIES), settings.INDEX_KEY) : () => null,
  publicUrl: settings.PUBLIC_URL,
  organizer: mailboxOf(settings.MAIL_FROM),
  changes,
  checks: [
    { name: 'database', critical: true, up: async () => (await rows(sql, SQL`select 1 as up`)).length === 1 },
    { name: 'keys', critical: true, up: trust.ready },
    { name: 'broker', critical: false, up: bus.connected },
    eventsCheck(relay.isFlowing),
    consumersCheck(bus.isConsuming)
  ]
})
const server = listen(handlerOf(app), { port: settings.PORT, host: settings.HOST })

stopOnSignal([
  ['readiness', drain],
  ['streams', changes.stop],
  // none of these waits for another, and each may take seconds on a machine that is busy
  [
    'requests, events and jobs',
    () => Promise.all([server.stop(), bus.stopConsuming(), consuming.stop(), stopExpiry(), stopLearning(), clearInterval(purge)])
  ],
  ['sealing anew', () => Promise.all([resealing.stop(), ring.stop()])],
  ['relay', relay.stop],
  ['broker', bus.close],
  ['keys', trust.stop],
  ['database', () => sql.end({ timeout: 1 })]
])
