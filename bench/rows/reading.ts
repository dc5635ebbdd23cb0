import SQL from 'sql-template-strings'
import { rows } from '#platform/data/db'
import { drive, quantile, request } from '../drive.ts'
import type { People } from '../people.ts'
import { judged, ms, perSecond, type Result, requireStatuses } from '../row.ts'
import type { World } from '../world.ts'

const SECONDS = 8
const CONNECTIONS = 32

/** A doctor's week of slots, over all doctors in turn; and the earliest slots of a specialty over 20,000 doctors. Both at half of the top rate. */
export async function reading(world: World, people: People): Promise<Result[]> {
  const codes = (await rows<{ code: string }>(world.sql('scheduling'), SQL`select distinct unnest(specialties) as code from doctors`)).map(
    ({ code }) => code
  )
  const week = await halfSpeed(world, (nth) => `/v1/doctors/${people.doctors[(nth * 7919) % people.doctors.length]}/slots`)
  const earliest = await halfSpeed(world, (nth) => `/v1/slots?specialty=${codes[nth % codes.length]}`)
  return [
    judged("a doctor's week of slots, p99 at half the top rate", { ...week, unit: ' ms', goal: ['under', 15] }),
    judged('earliest slots of a specialty over 20,000 doctors, p99 at half the top rate', { ...earliest, unit: ' ms', goal: ['under', 50] })
  ]
}

async function halfSpeed(world: World, path: (nth: number) => string) {
  const load = { url: world.url, connections: CONNECTIONS, seconds: SECONDS, next: (nth: number) => request('GET', path(nth)) }
  let empty = 0
  const top = await drive({ ...load, seen: ({ body }) => (body.includes('"start"') ? undefined : empty++) })
  requireStatuses(top, 200)
  if (empty > top.times.length / 100) throw new Error(`${empty} of ${top.times.length} answers had no slot`)
  const half = await drive({ ...load, rate: top.perSecond / 2 })
  requireStatuses(half, 200)
  const p99 = quantile(half.times, 0.99)
  return {
    ours: `p99 ${ms(p99)}, median ${ms(quantile(half.times, 0.5))} at ${perSecond(half.perSecond)}`,
    reference: `top rate ${perSecond(top.perSecond)}`,
    value: p99
  }
}
