import { parseArgs } from 'node:util'
import { Type } from '@sinclair/typebox'
import { connect } from '#platform/data/db'
import { manageKeys } from '#platform/data/manage-keys'
import { readSettings } from '#platform/setup/settings'
import { fill, measure } from './metrics.ts'
import { keptSealed } from './privacy/tables.ts'
import { learn } from './search/search-by-next-slot.ts'
import { settingsSchema } from './settings.ts'

/**
 * What is done to scheduling from a shell, where its settings are: `fill` adds doctors and appointments in numbers, `measure` times what patients ask,
 * `encryption …` exchanges the encryption keys.
 */
const { DATABASE_URL, ENCRYPTION_KEY } = readSettings(Type.Pick(settingsSchema, ['DATABASE_URL', 'ENCRYPTION_KEY']))
const { values, positionals } = parseArgs({
  options: { doctors: { type: 'string', default: '20000' }, appointments: { type: 'string', default: '1000000' } },
  allowPositionals: true
})
const sql = connect(DATABASE_URL, { name: 'manage', max: 4, statementTimeoutMs: 600_000 })
const now = Temporal.Now.instant()
const [command, word] = positionals
if (command === 'fill') await fillUp(Number(values.doctors), Number(values.appointments))
else if (command === 'measure') await measure(sql, now, console.log)
else if (command === 'encryption') {
  if (!(await manageKeys(sql, ENCRYPTION_KEY, keptSealed, word, now, console.log))) process.exitCode = 1
} else {
  console.error('usage: fill [--doctors 20000] [--appointments 1000000] | measure | encryption rotate|status|reseal|retire')
  process.exitCode = 64
}
await sql.end({ timeout: 5 })

async function fillUp(doctors: number, appointments: number) {
  const since = performance.now()
  const seconds = () => `${((performance.now() - since) / 1000).toFixed(0)} s`
  await fill(sql, { doctors, appointments, now: new Date(now.epochMilliseconds) }, (share) => {
    const done = Math.round(share * 40)
    process.stdout.write(`\r${'█'.repeat(done)}${'·'.repeat(40 - done)} ${(share * 100).toFixed(0).padStart(3)} % ${seconds()} `)
  })
  console.log(`\n${doctors} doctors, ${appointments} appointments; now their next free slots are learned`)
  while ((await learn(sql, now.epochMilliseconds)) > 0);
  console.log(`done after ${seconds()}`)
}
