import { parseArgs } from 'node:util'
import { check } from './chaos/check.ts'
import { trouble } from './chaos/faults.ts'
import { castOf, startLoad } from './chaos/load.ts'
import { startParts } from './chaos/parts.ts'
import { startSink } from './chaos/sink.ts'
import { startSystem } from './system.ts'

/*
 * `bun run test:chaos [--seed 1] [--minutes 5] [--rate 50]`: bookings go on while every ten seconds something breaks, by a schedule that follows from
 * the seed; then everything is healed and drained, and what was acknowledged is compared with what the database and the mail server have.
 */
const { values } = parseArgs({
  options: { seed: { type: 'string', default: '1' }, minutes: { type: 'string', default: '5' }, rate: { type: 'string', default: '50' } }
})
const [seed, minutes, rate] = [Number(values.seed), Number(values.minutes), Number(values.rate)]

/** The same numbers for the same seed (mulberry32). */
function randomOf(state: number): () => number {
  let a = state
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

process.env.LOG_LEVEL ??= 'silent'
process.env.JOURNEY_LOG ??= 'silent'
const parts = await startParts()
const sink = await startSink()
let exitCode = 1
try {
  const generous = { BOOKING_LIMIT: '1000', BOOKING_LIMIT_PER_SPECIALTY: '1000' }
  const system = await startSystem(
    { ...generous, SMTP_URL: sink.url, EMAIL_VERIFICATION: 'optional', DOCTOR_APPROVAL: 'auto' },
    { scheduling: 2, notifier: 2 }
  )
  try {
    const cast = await castOf(system)
    const since = performance.now()
    const say = (line: string) => console.log(`  ${((performance.now() - since) / 1000).toFixed(0).padStart(4)} s  ${line}`)
    console.log(`Seed ${seed}: ${rate} bookings a second for ${minutes} min, something breaks every 10 s`)
    const outcome = startLoad(system, cast, rate, randomOf(seed + 1_000))
    const happened = await trouble({ system, parts, sink, random: randomOf(seed), say }, since + minutes * 60_000)
    await outcome.stop()
    say(`healed; ${outcome.asked} bookings asked for, ${outcome.acknowledged.size} acknowledged, waiting for the rest to drain`)
    const { copies, ...faults } = await check(system, outcome, sink, 240_000)
    say('drained')
    console.table({
      ...faults,
      copies,
      mails: sink.mails.length,
      refused: outcome.refused,
      givenUp: outcome.givenUp,
      crashes: system.crashed.join(' ') || 0,
      faults: [...happened.values()].reduce((a, b) => a + b, 0)
    })
    const bad = Object.entries({ ...faults, givenUp: outcome.givenUp, crashes: system.crashed.length }).filter(([, number]) => number > 0)
    console.log(
      bad.length === 0
        ? `✓ nothing lost, nothing doubled but ${copies} copies that bear the same Message-ID`
        : `✗ ${JSON.stringify(Object.fromEntries(bad))}`
    )
    exitCode = bad.length === 0 ? 0 : 1
  } finally {
    await system.stop()
  }
} finally {
  await sink.stop()
  await parts.stop()
}
process.exit(exitCode)
