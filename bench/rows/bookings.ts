import { join } from 'node:path'
import SQL from 'sql-template-strings'
import { one } from '#platform/data/db'
import { drive, type Outcome, quantile, request } from '../drive.ts'
import { nothingOverlaps, type People, slotOn, wishOf } from '../people.ts'
import { judged, ms, perSecond, type Result, requireStatuses } from '../row.ts'
import { ensureTool } from '../tools.ts'
import type { World } from '../world.ts'
import { quiet } from './mails.ts'

const SECONDS = 6
const ROUNDS = 3
/** Before those that count: what runs day and night is compiled. */
const WARM_ROUNDS = 1
/** With 32 a quarter of the cores waits for what is under way; pgbench gets as many. */
const CONNECTIONS = 64

/**
 * Bookings a second through the gateway, with everything that is durable with one (history, event in the outbox and on to the broker), in turn with
 * pgbench and the bare insert into the same table, with the same constraints and as many connections; the round with the median ratio counts. The
 * notifier stands still meanwhile, and then must send every mail; then the same with the notifier at work, and slots that as many want at once as there are connections.
 */
export async function bookings(world: World, people: People): Promise<Result[]> {
  const tokens = await world.tokens(people.patients)
  const before = await booked(world)
  const load = { url: world.url, connections: CONNECTIONS, seconds: SECONDS }
  let made = 0
  const wishes = (nth: number) => {
    const { patient, body } = wishOf(people, made + nth)
    return request('POST', '/v1/appointments', tokens[patient], body)
  }
  const runs: { bare: number; ours: Outcome }[] = []
  const pid = world.pidOf('notifier')
  process.kill(pid, 'SIGSTOP')
  try {
    // in turn, since the machine is not the same from one minute to the next
    for (let round = -WARM_ROUNDS; round < ROUNDS; round++) {
      const bare = await bareInserts(world)
      const ours = await drive({ ...load, next: wishes })
      requireStatuses(ours, 201)
      made += ours.statuses[201] ?? 0
      if (round >= 0) runs.push({ bare, ours })
    }
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  const { bare, ours: spread } = runs.sort((a, b) => a.ours.perSecond / a.bare - b.ours.perSecond / b.bare)[
    Math.floor(ROUNDS / 2)
  ] as (typeof runs)[number]
  const stored = (await booked(world)) - before
  if (made !== stored) throw new Error(`${made} bookings were answered 201, ${stored} are in the database`)
  await quiet(world, made * 2)
  const mailed = await drive({ ...load, next: wishes })
  requireStatuses(mailed, 201)
  await quiet(world, (made + (mailed.statuses[201] ?? 0)) * 2)

  const hot = await drive({
    ...load,
    seconds: SECONDS,
    next: (nth) => {
      // as many want one slot as there are connections, and then the next
      const slot = Math.floor(nth / CONNECTIONS)
      const body = { doctorId: people.doctors[slot % people.doctors.length], start: slotOn(Math.floor(slot / people.doctors.length), 16) }
      return request('POST', '/v1/appointments', tokens[(nth * 7) % (tokens.length / 2)], body)
    }
  })
  requireStatuses(hot, 201, 409)
  await nothingOverlaps(world)
  const decided = ((hot.statuses[201] ?? 0) / hot.seconds) * CONNECTIONS
  return [
    judged('bookings through the gateway ÷ bare insert by pgbench', {
      ours: `${perSecond(spread.perSecond)}, p99 ${ms(quantile(spread.times, 0.99))}`,
      reference: perSecond(bare),
      value: spread.perSecond / bare,
      goal: ['at least', 0.35],
      details: { statuses: spread.statuses, p50: quantile(spread.times, 0.5), rounds: runs.map((run) => run.ours.perSecond / run.bare) }
    }),
    {
      what: 'bookings while the mails of all of them leave as well',
      ours: `${perSecond(mailed.perSecond)}, p99 ${ms(quantile(mailed.times, 0.99))}`,
      reference: perSecond(bare),
      ratio: (mailed.perSecond / bare).toFixed(2),
      goal: '',
      met: undefined,
      details: { statuses: mailed.statuses }
    },
    {
      what: `${CONNECTIONS} at once for each slot`,
      ours: `${perSecond(hot.perSecond)}, p99 ${ms(quantile(hot.times, 0.99))}`,
      reference: '',
      ratio: `${((hot.statuses[201] ?? 0) / Math.ceil(hot.times.length / CONNECTIONS)).toFixed(2)} winners a slot`,
      goal: '',
      met: undefined,
      details: { statuses: hot.statuses, decided }
    }
  ]
}

const booked = async (world: World) =>
  (await one<{ count: number }>(world.sql('scheduling'), SQL`select count(*) from appointments where status = 'requested'`)).count

/** Transactions a second of pgbench with `CONNECTIONS` clients, each one insert of an appointment far in the future. */
export async function bareInserts(world: World): Promise<number> {
  const pgbench = await ensureTool('pgbench', 'postgresql-15', '/usr/lib/postgresql/15/bin/pgbench')
  const admin = world.sql('admin')
  await admin.unsafe(`create schema if not exists bench;
    create table if not exists bench.doctors as select (row_number() over (order by id))::int as n, id from scheduling.doctors;
    create unique index if not exists doctors_n on bench.doctors (n)`)
  await admin.unsafe('analyze bench.doctors')
  const script = join(world.dir, 'insert.sql')
  await Bun.write(
    script,
    `\\set i :i + 1
\\set n :i * ${CONNECTIONS} + :client_id
insert into scheduling.appointments (id, doctor_id, patient_id, patient_name, status, during, doctor_during, timezone, price_amount, price_currency, created_at, updated_at)
select gen_random_uuid(), id, gen_random_uuid(), 'Ana', 'confirmed', tstzrange(start, start + interval '30 minutes'), tstzrange(start, start + interval '30 minutes'),
       'America/Sao_Paulo', 35000, 'BRL', now() - interval '1 day', now()
  from bench.doctors, lateral (select timestamptz '2035-01-01 12:00Z' + (:n / 20000) * interval '1 day' as start) s where n = 1 + :n % 20000;
`
  )
  const options = [
    '-n',
    '-M',
    'prepared',
    '-c',
    `${CONNECTIONS}`,
    '-j',
    '2',
    '-T',
    `${SECONDS}`,
    '-D',
    'i=0',
    '-f',
    script,
    world.databaseUrl
  ]
  const said = await Bun.spawn([pgbench, ...options], { stderr: 'pipe' }).stdout.text()
  const failed = /number of failed transactions: ([1-9]\d*)/.exec(said)
  const tps = Number(/tps = ([\d.]+)/.exec(said)?.[1])
  if (failed || !tps) throw new Error(`pgbench: ${said}`)
  await admin.unsafe(`delete from scheduling.appointments where lower(during) >= '2035-01-01'`)
  return tps
}
