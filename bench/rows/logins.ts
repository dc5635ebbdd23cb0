import { cpf } from 'cpf-cnpj-validator'
import { drive, type Outcome, quantile, request } from '../drive.ts'
import type { People } from '../people.ts'
import { judged, ms, perSecond, type Result, requireStatuses } from '../row.ts'
import type { World } from '../world.ts'

const ROUNDS = 5
const SECONDS = 4
const PASSWORD = 'uma frase que ninguem adivinha'

type Round = { calm: Outcome; others: Outcome; alone: Outcome; bare: number }

/**
 * Sign-ins a second beside Argon2 alone on all cores, and what a storm of them does to everybody else; all in turn, and the median of `ROUNDS` ratios
 * counts: how fast memory is, which Argon2 lives on, changes by a quarter within minutes on a machine that is shared.
 */
export async function logins(world: World, people: People): Promise<Result[]> {
  const emails = Array.from({ length: 40 }, () => `${crypto.randomUUID()}@bench.example`)
  const register = (email: string) =>
    request('POST', '/v1/auth/patients', undefined, { name: 'Ana', email, cpf: cpf.generate(), password: PASSWORD })
  const made = await drive({
    url: world.url,
    connections: 2,
    seconds: 30,
    next: (nth) => (emails[nth] ? register(emails[nth]) : undefined)
  })
  requireStatuses(made, 201)
  const slots = {
    url: world.url,
    connections: 8,
    seconds: SECONDS,
    // of many, so that the slowest hundredth is more than a handful
    rate: 200,
    next: (nth: number) => request('GET', `/v1/doctors/${people.doctors[nth]}/slots`)
  }
  const login = (nth: number) =>
    request('POST', '/v1/auth/login', undefined, { identifier: emails[nth % emails.length], password: PASSWORD })
  await drive({ ...slots, seconds: 2 })
  const storm = { url: world.url, connections: 16, seconds: SECONDS, next: login }
  const rounds: Round[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const calm = await drive(slots)
    const [others, busy] = await Promise.all([drive(slots), drive(storm)])
    const alone = await drive(storm)
    for (const outcome of [calm, others, busy, alone]) requireStatuses(outcome, 200)
    rounds.push({ calm, others, alone, bare: await bareArgon() })
  }
  const shareOf = ({ alone, bare }: Round) => alone.perSecond / bare
  const slowdownOf = ({ calm, others }: Round) => p99(others) / p99(calm)
  const [fast, calmly] = [medianBy(rounds, shareOf), medianBy(rounds, slowdownOf)]
  return [
    judged('sign-ins ÷ bare Argon2 on all cores', {
      ours: `${perSecond(fast.alone.perSecond)}, p99 ${ms(p99(fast.alone))}`,
      reference: perSecond(fast.bare),
      value: shareOf(fast),
      goal: ['at least', 0.85],
      details: { rounds: rounds.map(shareOf) }
    }),
    judged("other routes' p99 during a storm of sign-ins ÷ in the calm", {
      ours: `p99 ${ms(p99(calmly.others))}`,
      reference: `p99 ${ms(p99(calmly.calm))}`,
      value: slowdownOf(calmly),
      goal: ['under', 2],
      details: { rounds: rounds.map(slowdownOf) }
    })
  ]
}

const p99 = ({ times }: Outcome) => quantile(times, 0.99)
const medianBy = (rounds: Round[], value: (round: Round) => number) =>
  [...rounds].sort((a, b) => value(a) - value(b))[Math.floor(rounds.length / 2)] as Round

/** Checks of passwords a second, as many at once as there are cores, in a process of its own. */
async function bareArgon(): Promise<number> {
  const code = `
    import { availableParallelism } from 'node:os'
    import { hash, verify } from '@node-rs/argon2'
    const stored = await hash('x', { memoryCost: 19456, timeCost: 2, parallelism: 1 })
    let count = 0
    const end = performance.now() + ${SECONDS * 1000}
    await Promise.all(Array.from({ length: availableParallelism() }, async () => { while (performance.now() < end) { await verify(stored, 'x'); count++ } }))
    console.log(count / ${SECONDS})`
  return Number(await Bun.spawn([process.execPath, '-e', code], { cwd: import.meta.dir }).stdout.text())
}
