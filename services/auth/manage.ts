import { Type } from '@sinclair/typebox'
import { connect } from '#platform/db'
import { readSettings } from '#platform/settings'
import { republishUsers } from './accounts/republish.ts'
import { sealOf } from './privacy/seal.ts'
import { settingsSchema } from './settings.ts'
import { retire, rotate } from './tokens/keys.ts'

/**
 * What is done to auth from a shell, where its settings are: `rotate` adds a signing key, `retire` takes those out that nothing valid was signed
 * with, `republish` tells the other services of everybody again.
 */
const { DATABASE_URL, ENCRYPTION_KEY, INDEX_KEY } = readSettings(Type.Pick(settingsSchema, ['DATABASE_URL', 'ENCRYPTION_KEY', 'INDEX_KEY']))
const sql = connect(DATABASE_URL, { name: 'keys', max: 1 })
const now = Temporal.Now.instant()
const [command] = process.argv.slice(2)
if (command === 'rotate') {
  const kid = await rotate(sql, sealOf(ENCRYPTION_KEY, INDEX_KEY), now)
  console.log(`made the key ${kid}; it signs from ${now.add({ minutes: 2 }).round('second')} on, when every gateway knows it`)
} else if (command === 'retire') {
  const old = await retire(sql, now)
  console.log(old.length > 0 ? `retired ${old.join(', ')}` : 'nothing to retire: no key has been out of use for 11 minutes')
} else if (command === 'republish') {
  console.log(`${await republishUsers(sql)} people are told of again; the relay of a running auth publishes it`)
} else {
  console.error('usage: rotate | retire | republish')
  process.exitCode = 64
}
await sql.end({ timeout: 5 })
