import { createTransport } from 'nodemailer'
import SQL from 'sql-template-strings'
import { one } from '#platform/data/db'
import { drive, quantile, request } from '../drive.ts'
import { type People, slotOn, wishOf } from '../people.ts'
import { judged, ms, perSecond, type Result, requireStatuses } from '../row.ts'
import { startSink } from '../sink.ts'
import type { World } from '../world.ts'

const RATE = 200
const SECONDS = 15
const BURST = 2_000

/** From the commit of a booking to the server's acceptance of its mails, at 200 bookings a second; and a burst, beside nodemailer's bare pool into the same kind of sink. */
export async function mails(world: World, people: People): Promise<Result[]> {
  await quiet(world)
  const latency = await lastMails(world, people)
  const burst = await burstOf(world, people)
  return [latency, burst]
}

async function lastMails(world: World, people: People): Promise<Result> {
  const tokens = await world.tokens(people.mailed.slice(0, 1_000))
  const since = new Date()
  const taken = await world.sink.taken()
  // the last doctors of the list, whom no other load has reached; each patient books three times, on three days
  const doctors = people.doctors.toReversed()
  const outcome = await drive({
    url: world.url,
    connections: 32,
    seconds: SECONDS,
    rate: RATE,
    next: (nth) => {
      const body = { doctorId: doctors[nth], start: slotOn(Math.floor(nth / tokens.length), 16) }
      return request('POST', '/v1/appointments', tokens[nth % tokens.length], body)
    }
  })
  requireStatuses(outcome, 201)
  await quiet(world)
  const due = (outcome.statuses[201] ?? 0) * 2
  const arrived = (await world.sink.taken()) - taken
  if (arrived !== due) throw new Error(`${due} mails were due, ${arrived} came`)
  const { p50, p99 } = await one<{ p50: number; p99: number }>(
    world.sql('admin'),
    SQL`select percentile_cont(0.5) within group (order by took) as p50, percentile_cont(0.99) within group (order by took) as p99
          from (select extract(epoch from m.sent_at - a.created_at)::float8 * 1000 as took
                  from notifier.mails m join scheduling.appointments a on a.id = m.appointment_id
                 where m.status = 'sent' and a.created_at >= ${since}) mails`
  )
  return judged(`commit of a booking to acceptance of its mail, p99 at ${RATE} bookings a second`, {
    ours: `p99 ${ms(p99)}, median ${ms(p50)}, ${due} mails`,
    reference: `bookings p99 ${ms(quantile(outcome.times, 0.99))}`,
    value: p99,
    unit: ' ms',
    goal: ['under', 1000]
  })
}

async function burstOf(world: World, people: People): Promise<Result> {
  const tokens = await world.tokens(people.mailed.slice(-BURST))
  const pid = world.pidOf('notifier')
  const doctors = people.doctors.toReversed()
  const since = new Date()
  // mails gather while their sender stands still
  process.kill(pid, 'SIGSTOP')
  try {
    const outcome = await drive({
      url: world.url,
      connections: 16,
      seconds: 60,
      next: (nth) => {
        if (nth >= BURST) return undefined
        return request('POST', '/v1/appointments', tokens[nth], wishOf({ ...people, doctors }, nth + 12 * doctors.length, 15).body)
      }
    })
    requireStatuses(outcome, 201)
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  await quiet(world, BURST * 2, since)
  const { rate, bytes } = await one<{ rate: number; bytes: number }>(
    world.sql('admin'),
    SQL`select (count(*) / extract(epoch from max(sent_at) - min(sent_at)))::float8 as rate, 0 as bytes
          from notifier.mails where created_at >= ${since} and status = 'sent'`
  )
  const bare = await barePool(BURST * 2)
  return judged('mails a second in a burst ÷ bare nodemailer pool', {
    ours: perSecond(rate),
    reference: perSecond(bare),
    value: rate / bare,
    goal: ['at least', 0.5],
    details: { bytes }
  })
}

/** The same pool with as many connections, and mails of two parts that are ready made. */
async function barePool(count: number): Promise<number> {
  const sink = await startSink()
  const transport = createTransport({ url: sink.url, pool: true, maxConnections: 10, maxMessages: 500 })
  const html = `<p>${'Consulta solicitada com hora e lugar. '.repeat(200)}</p>`
  const message = {
    from: 'no-reply@bench.example',
    to: 'ana@bench.example',
    subject: 'Consulta solicitada',
    text: 'Consulta solicitada. '.repeat(40),
    html
  }
  const since = performance.now()
  await Promise.all(Array.from({ length: count }, () => transport.sendMail(message)))
  const rate = (count * 1000) / (performance.now() - since)
  if ((await sink.taken()) !== count) throw new Error('the bare pool lost mails')
  transport.close()
  await sink.stop()
  return rate
}

/** Waits until every mail has left. */
export async function quiet(world: World, atLeast = 0, since = new Date(0)): Promise<void> {
  for (const until = Date.now() + 120_000; ; await Bun.sleep(200)) {
    const { open, sent } = await one<{ open: number; sent: number }>(
      world.sql('admin'),
      SQL`select (select count(*) from notifier.mails where status in ('pending', 'sending') and due_at < now() + interval '1 minute')
               + (select count(*) from scheduling.outbox where sent_at is null) as open,
                 (select count(*) from notifier.mails where status = 'sent' and created_at >= ${since}) as sent`
    )
    if (open === 0 && sent >= atLeast) return
    if (Date.now() > until) throw new Error(`${open} mails or events have not left after two minutes, ${sent} have`)
  }
}
