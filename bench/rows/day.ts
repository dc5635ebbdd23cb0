import { cpf } from 'cpf-cnpj-validator'
import { type Answer, drive, quantile, request } from '../drive.ts'
import { nothingOverlaps, type People, wishOf } from '../people.ts'
import { judged, ms, perSecond, type Result, requireStatuses } from '../row.ts'
import type { World } from '../world.ts'
import { quiet } from './mails.ts'

const PASSWORD = 'uma frase que ninguem adivinha'
const MB = 2 ** 20
const CONNECTIONS = 32
const TOP_SECONDS = 10
const CODES = ['cardiologia', 'dermatologia', 'pediatria', 'psiquiatria']

/**
 * A mixed day: 70 % slots, 15 % search, 10 % bookings and what follows them, 5 % sign-ins, at half of the top rate for `seconds`; and what the four
 * services hold in memory before, in the middle and after it.
 */
export async function day(
  world: World,
  people: People,
  { seconds, idle }: { seconds: number; idle: Record<string, number> }
): Promise<Result[]> {
  const { next, seen, times, stop } = await mixOf(world, people)
  const load = { url: world.url, connections: CONNECTIONS, seconds: TOP_SECONDS, next, seen }
  const top = await drive(load)
  // as fast as it goes there are more sign-ins than the cores can hash: those past a wait of two seconds are refused, as they should be
  requireStatuses(top, 200, 201, 503)
  for (const list of Object.values(times)) list.length = 0
  const middle: number[] = []
  const sampling = setInterval(() => middle.push(total(world.memory())), 5_000)
  const outcome = await drive({ ...load, seconds, rate: top.perSecond / 2 })
  clearInterval(sampling)
  stop()
  requireStatuses(outcome, 200, 201)
  await quiet(world)
  await nothingOverlaps(world)
  const p99 = Object.fromEntries(
    Object.entries(times).map(([kind, list]) => [
      kind,
      ms(
        quantile(
          list.sort((a, b) => a - b),
          0.99
        )
      )
    ])
  )
  // the first third fills pools and caches
  const half = middle.slice(Math.floor(middle.length / 3))
  const [early, late] = [average(half.slice(0, half.length / 2)), average(half.slice(half.length / 2))]
  return [
    {
      what: 'a mixed day: 70 % slots, 15 % search, 10 % bookings, 5 % sign-ins, at half the top rate',
      ours: perSecond(outcome.perSecond),
      reference: `top rate ${perSecond(top.perSecond)}`,
      ratio: Object.entries(p99)
        .map(([kind, time]) => `${kind} p99 ${time}`)
        .join(', '),
      goal: '',
      met: undefined,
      details: { statuses: outcome.statuses, top: top.statuses }
    },
    judged('memory of the four services, idle', {
      ours: Object.entries(idle)
        .map(([name, bytes]) => `${name} ${Math.round(bytes / MB)}`)
        .join(', '),
      value: total(idle) / MB,
      unit: ' MB',
      goal: ['under', 300]
    }),
    judged(`memory, last third of ${seconds} s of load ÷ the third before`, {
      ours: `${Math.round(late / MB)} MB`,
      reference: `${Math.round(early / MB)} MB`,
      value: late / early,
      goal: ['under', 1.05],
      details: { samples: middle.map((bytes) => Math.round(bytes / MB)) }
    })
  ]
}

/** The requests of a mixed day in an order without end, and the times of their answers by kind; `stop` ends the renewing of tokens. */
async function mixOf(world: World, people: People) {
  const emails = Array.from({ length: 20 }, () => `${crypto.randomUUID()}@bench.example`)
  const register = (email: string) =>
    request('POST', '/v1/auth/patients', undefined, { name: 'Ana', email, cpf: cpf.generate(), password: PASSWORD })
  requireStatuses(
    await drive({ url: world.url, connections: 2, seconds: 30, next: (nth) => (emails[nth] ? register(emails[nth]) : undefined) }),
    201
  )
  let tokens = await world.tokens(people.patients)
  // they run for ten minutes
  const renewal = setInterval(async () => {
    tokens = await world.tokens(people.patients)
  }, 400_000)
  const kinds: string[] = []
  const times: Record<string, number[]> = { slots: [], search: [], booking: [], 'sign-in': [] }
  const open: { id: string; patient: number }[] = []
  let [asked, bookings] = [0, 0]

  // each load counts its requests from nought; the order of the day goes on
  const next = (of: number): string => {
    const nth = asked++
    const kind = kindOf(nth)
    kinds[of] = kind
    if (kind === 'slots') return request('GET', `/v1/doctors/${people.doctors[(nth * 7919) % people.doctors.length]}/slots`)
    if (kind === 'search') return request('GET', `/v1/doctors?specialty=${CODES[nth % CODES.length]}`)
    if (kind === 'sign-in')
      return request('POST', '/v1/auth/login', undefined, { identifier: emails[nth % emails.length], password: PASSWORD })
    const done = open.length > 50 ? open.shift() : undefined
    if (done) return request('POST', `/v1/appointments/${done.id}/cancel`, tokens[done.patient], { reason: 'bench' })
    const { patient, body } = wishOf(people, bookings++ + 13 * people.doctors.length)
    kinds[of] = `booking ${patient}`
    return request('POST', '/v1/appointments', tokens[patient], body)
  }
  const seen = ({ nth, ms: took, status, body }: Answer) => {
    const [kind = '', patient] = (kinds[nth] ?? '').split(' ')
    delete kinds[nth]
    times[kind]?.push(took)
    if (patient && status === 201) open.push({ id: JSON.parse(body.toString()).id, patient: Number(patient) })
  }
  return { next, seen, times, stop: () => clearInterval(renewal) }
}

const kindOf = (nth: number) => {
  const part = (nth * 61) % 100
  if (part < 70) return 'slots'
  if (part < 85) return 'search'
  return part < 95 ? 'booking' : 'sign-in'
}
const total = (memory: Record<string, number>) => Object.values(memory).reduce((sum, bytes) => sum + bytes, 0)
const average = (list: number[]) => list.reduce((sum, value) => sum + value, 0) / list.length
