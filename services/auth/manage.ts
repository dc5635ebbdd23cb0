import { Type } from '@sinclair/typebox'
import { connect } from '#platform/data/db'
import { openKeyRing } from '#platform/data/key-ring'
import { manageKeys } from '#platform/data/manage-keys'
import { readSettings } from '#platform/setup/settings'
import { republishUsers } from './accounts/republish.ts'
import { manageAdmins } from './admin/by-hand.ts'
import { passwordsOf } from './passwords/hash.ts'
import { sealedTables, sealOf } from './privacy/seal.ts'
import { settingsSchema } from './settings.ts'
import { openKeys, retire, rotate } from './tokens/keys.ts'

/**
 * What is done to auth from a shell, where its settings are: `rotate` adds a signing key, `retire` takes those out that nothing valid was signed
 * with, `encryption …` does the same for the encryption keys, `republish` tells the other services of everybody
 * again, `admin add|reset EMAIL` makes an admin or gives one a new password, `check` fails where the encryption
 * key does not open the signing keys.
 */
const settings = readSettings(Type.Pick(settingsSchema, ['DATABASE_URL', 'ENCRYPTION_KEY', 'INDEX_KEY', 'EVENT_KEY']))
const { DATABASE_URL, ENCRYPTION_KEY, INDEX_KEY, EVENT_KEY } = settings
const sql = connect(DATABASE_URL, { name: 'keys', max: 2, statementTimeoutMs: 600_000 })
const now = Temporal.Now.instant()
const [command, ...words] = process.argv.slice(2)
if (command === 'rotate') {
  const ring = await openKeyRing(sql, ENCRYPTION_KEY, () => now)
  ring.stop()
  const kid = await rotate(sql, sealOf(ring, INDEX_KEY, EVENT_KEY), now)
  console.log(`made the key ${kid}; it signs from ${now.add({ minutes: 2 }).round('second')} on, when every gateway knows it`)
} else if (command === 'retire') {
  const old = await retire(sql, now)
  console.log(old.length > 0 ? `retired ${old.join(', ')}` : 'nothing to retire: no key has been out of use for 11 minutes')
} else if (command === 'encryption') {
  const kept = { service: 'auth', targets: sealedTables }
  if (!(await manageKeys(sql, ENCRYPTION_KEY, kept, words[0], now, console.log))) process.exitCode = 1
} else if (command === 'republish') {
  console.log(`${await republishUsers(sql)} people are told of again; the relay of a running auth publishes it`)
} else if (command === 'check') {
  try {
    const ring = await openKeyRing(sql, ENCRYPTION_KEY, () => now)
    ring.stop()
    const keys = await openKeys(sql, sealOf(ring, INDEX_KEY, EVENT_KEY), () => now)
    await keys.stop()
  } catch (error) {
    console.error(`  ${error instanceof Error ? error.message : error}`)
    process.exitCode = 1
  }
} else if (command === 'admin') {
  const settings = readSettings(Type.Pick(settingsSchema, ['ARGON2_MEMORY_KIB', 'ARGON2_PASSES']))
  const passwords = await passwordsOf({ memoryKib: settings.ARGON2_MEMORY_KIB, passes: settings.ARGON2_PASSES })
  const ring = await openKeyRing(sql, ENCRYPTION_KEY, () => now)
  ring.stop()
  process.exitCode = await manageAdmins({ sql, seal: sealOf(ring, INDEX_KEY, EVENT_KEY), passwords }, words, now)
} else {
  console.error(
    'usage: rotate | retire | encryption rotate|status|reseal|retire | republish | check | admin add EMAIL | admin reset EMAIL [--second-factor]'
  )
  process.exitCode = 64
}
await sql.end({ timeout: 5 })
