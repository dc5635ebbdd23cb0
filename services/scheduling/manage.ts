import { parseArgs } from 'node:util'
import { Type } from '@sinclair/typebox'
import { connect } from '#platform/db'
import { readSettings, url } from '#platform/settings'
import { learn } from './doctors/walk.ts'
import { fill, measure } from './measure.ts'

/** What is done to scheduling from a shell, where its settings are: `fill` adds doctors and appointments in numbers, `measure` times what patients ask. */
const { DATABASE_URL } = readSettings(Type.Object({ DATABASE_URL: url('postgres|postgresql') }))
const { values, positionals } = parseArgs({
  options: { doctors: { type: 'string', default: '20000' }, appointments: { type: 'string', default: '1000000' } },
  allowPositionals: true
})
const sql = connect(DATABASE_URL, { name: 'manage', max: 4, statementTimeoutMs: 600_000 })
const now = Temporal.Now.instant()
const [command] = positionals
if (command === 'fill') await fillUp(Number(values.doctors), Number(values.appointments))
else if (command === 'measure') await measure(sql, now, console.log)
else {
  console.error('usage: fill [--doctors 20000] [--appointments 1000000] | measure')
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
