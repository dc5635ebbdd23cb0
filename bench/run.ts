import { bold, dim, green, red, say, seconds, step } from '../dev/terminal.ts'
import { type People, populate } from './people.ts'
import { writeReport } from './report.ts'
import type { Result } from './row.ts'
import { bookings } from './rows/bookings.ts'
import { clients } from './rows/clients.ts'
import { day } from './rows/day.ts'
import { gateway } from './rows/gateway.ts'
import { history } from './rows/history.ts'
import { logins } from './rows/logins.ts'
import { mails } from './rows/mails.ts'
import { reading } from './rows/reading.ts'
import { startWorld, tidy, type World } from './world.ts'

/*
 * `bun run bench [NAME …]`: measures what `design` promises, each beside its reference in the same run, and writes the table to `bench/results/`.
 */
type Measurement = (world: World, people: People, idle: Record<string, number>) => Promise<Result[]>
/** On one system that is filled once, in this order: the last changes what it holds for good. */
const onOne: Record<string, Measurement> = {
  reading,
  bookings,
  mails,
  logins,
  day: (world, people, idle) => day(world, people, { seconds: Number(process.env.DAY_SECONDS ?? 120), idle }),
  history
}
const onTheirOwn: Record<string, () => Promise<Result[]>> = { gateway, clients }

const names = process.argv.slice(2)
const all = [...Object.keys(onTheirOwn), ...Object.keys(onOne)]
const unknown = names.filter((name) => !all.includes(name))
if (unknown.length > 0) {
  console.error(`There is no ${unknown.join(', ')}; there are ${all.join(', ')}.`)
  process.exit(64)
}
process.env.LOG_LEVEL ??= 'silent'
const since = performance.now()
const results: Result[] = []
let failed = false
say(bold('Health&Med bench'))
const isWanted = (name: string) => names.length === 0 || names.includes(name)
const measure = async (name: string, work: () => Promise<Result[]>) => {
  try {
    results.push(...(await step(name, work)))
  } catch (error) {
    failed = true
    say(red(`    ${error instanceof Error ? error.message : error}`))
  }
}
for (const [name, work] of Object.entries(onTheirOwn)) if (isWanted(name)) await measure(name, work)
const wanted = Object.entries(onOne).filter(([name]) => isWanted(name))
if (wanted.length > 0) {
  const world = await step('a system, as bun start runs it', () => startWorld())
  try {
    const idle = world.memory()
    const people = await step('20,000 doctors and 23,000 patients', () => populate(world))
    for (const [name, work] of wanted) {
      await tidy(world)
      await measure(name, () => work(world, people, idle))
    }
  } finally {
    await world.stop()
  }
}
say()
for (const { what, ours, reference, ratio, goal, met } of results) {
  const mark = met === undefined ? ' ' : met ? green('✓') : red('✗')
  say(`${mark} ${what}`)
  say(dim(`    ours ${ours}${reference && `   reference ${reference}`}   ${ratio}${goal && `   goal ${goal}`}`))
}
await writeReport(results, names)
say(
  dim(
    `\n  ${results.filter(({ met }) => met).length} of ${results.filter(({ met }) => met !== undefined).length} goals met, ${seconds(since)}`
  )
)
process.exit(failed ? 1 : 0)
