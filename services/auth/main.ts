process.env.SERVICE_NAME ??= 'auth'

import SQL from 'sql-template-strings'
import { connect, rows } from '#platform/data/db'
import { openKeyRing } from '#platform/data/key-ring'
import { startResealing } from '#platform/data/reseal'
import { connectBus } from '#platform/events/bus'
import { startRelay } from '#platform/events/outbox'
import { handlerOf, listen } from '#platform/http/app'
import { clientReader } from '#platform/http/client-address'
import { drain, eventsCheck } from '#platform/http/health'
import { verifierOf } from '#platform/identity/caller'
import { readSettings } from '#platform/setup/settings'
import { stopOnSignal } from '#platform/setup/stop'
import { makeFirstAdmin } from './admin/first.ts'
import { auth } from './app.ts'
import { rolesWithSecondFactor } from './mfa/require.ts'
import { giveWay } from './passwords/give-way.ts'
import { passwordsOf } from './passwords/hash.ts'
import { afterwards } from './passwords/reset.ts'
import { startPurging } from './privacy/purge.ts'
import { sealedTables, sealOf } from './privacy/seal.ts'
import { followEnded } from './sessions/end.ts'
import { settingsSchema } from './settings.ts'
import { openKeys } from './tokens/keys.ts'

const settings = readSettings(settingsSchema)
const clock = () => Temporal.Now.instant()
const sql = connect(settings.DATABASE_URL, { name: 'auth', max: settings.DATABASE_POOL })
const ring = await openKeyRing(sql, settings.ENCRYPTION_KEY, clock)
const seal = sealOf(ring, settings.INDEX_KEY, settings.EVENT_KEY)
const passwords = await passwordsOf({ memoryKib: settings.ARGON2_MEMORY_KIB, passes: settings.ARGON2_PASSES })
giveWay()
const keys = await openKeys(sql, seal, clock)
const ended = await followEnded(sql, clock)
const { ADMIN_EMAIL: email, ADMIN_PASSWORD: password } = settings
if (email && password) await makeFirstAdmin(sql, passwords, { email, password }, clock())
const bus = await connectBus({ url: settings.RABBITMQ_URL, name: 'auth' })
const relay = startRelay(sql, bus, 'auth')
const purging = startPurging(sql, seal, clock, { auditDays: settings.KEEP_AUDIT_DAYS })
const resealing = startResealing(sql, ring, sealedTables, clock)
const after = afterwards()

const app = auth({
  sql,
  seal,
  keys,
  passwords,
  verify: verifierOf({ keyFor: keys.keyFor, isEnded: ended.isEnded }),
  clock,
  clientOf: clientReader(settings.TRUSTED_PROXIES),
  afterwards: after,
  doctorApproval: settings.DOCTOR_APPROVAL,
  requireMfa: rolesWithSecondFactor(settings.REQUIRE_MFA),
  emailVerification: settings.EMAIL_VERIFICATION,
  peers: { scheduling: settings.SCHEDULING_URL, notifier: settings.NOTIFIER_URL },
  checks: [
    { name: 'database', critical: true, up: async () => (await rows(sql, SQL`select 1 as up`)).length === 1 },
    { name: 'broker', critical: false, up: bus.connected },
    eventsCheck(relay.isFlowing)
  ]
})
const server = listen(handlerOf(app), { port: settings.PORT, host: settings.HOST })

stopOnSignal([
  ['readiness', drain],
  ['requests', server.stop],
  ['what follows answers', after.settled],
  ['jobs', () => Promise.all([purging.stop(), keys.stop(), ended.stop(), ring.stop(), resealing.stop()])],
  ['relay', relay.stop],
  ['broker', bus.close],
  ['database', () => sql.end({ timeout: 1 })]
])
