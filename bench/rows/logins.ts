import { cpf } from 'cpf-cnpj-validator'
import { drive, quantile, request } from '../drive.ts'
import type { People } from '../people.ts'
import { judged, ms, perSecond, type Result, requireStatuses } from '../row.ts'
import type { World } from '../world.ts'

const SECONDS = 10
const PASSWORD = 'uma frase que ninguem adivinha'

/** Sign-ins a second beside Argon2 alone on all cores, and what a storm of them does to everybody else. */
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
  const calm = await drive(slots)
  const storm = { url: world.url, connections: 16, seconds: SECONDS, next: login }
  const [others, busy] = await Promise.all([drive(slots), drive(storm)])
  requireStatuses(calm, 200)
  requireStatuses(others, 200)
  requireStatuses(busy, 200)
  const alone = await drive(storm)
  requireStatuses(alone, 200)
  const bare = await bareArgon()
  const [p99Calm, p99Storm] = [quantile(calm.times, 0.99), quantile(others.times, 0.99)]
  return [
    judged('sign-ins ÷ bare Argon2 on all cores', {
      ours: `${perSecond(alone.perSecond)}, p99 ${ms(quantile(alone.times, 0.99))}`,
      reference: perSecond(bare),
      value: alone.perSecond / bare,
      goal: ['at least', 0.85]
    }),
    judged("other routes' p99 during a storm of sign-ins ÷ in the calm", {
      ours: `p99 ${ms(p99Storm)}`,
      reference: `p99 ${ms(p99Calm)}`,
      value: p99Storm / p99Calm,
      goal: ['under', 2]
    })
  ]
}

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
