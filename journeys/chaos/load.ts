import { cpf } from 'cpf-cnpj-validator'
import { call, PASSWORD } from '../client.ts'
import type { System } from '../system.ts'

/** Doctors with their offered starts, and patients with their tokens. */
export type Cast = { doctors: { id: string; starts: string[] }[]; patients: { id: string; token: string }[] }

const people = 20
const everyDay = [1, 2, 3, 4, 5, 6, 7].map((weekday) => ({ weekday, start: '00:00', end: '24:00' }))

/** Registers everybody through the gateway: doctors are open day and night, a quarter of an hour each. */
export async function castOf(system: System): Promise<Cast> {
  const doctors: Cast['doctors'] = []
  const patients: Cast['patients'] = []
  for (let nth = 0; nth < people; nth++) {
    const doctor = await someone(system, 'doctors', { crm: `${7000 + nth}-SP` })
    const about = {
      specialties: ['cardiologia'],
      price: { amount: 20000, currency: 'BRL' },
      timezone: 'America/Sao_Paulo',
      minNoticeMinutes: 0
    }
    await must(system, 'PUT', '/v1/doctors/me/profile', doctor.token, about)
    await must(system, 'PUT', '/v1/doctors/me/schedule', doctor.token, { slotMinutes: 15, rules: everyDay })
    doctors.push({ id: doctor.id, starts: await startsOf(system, doctor.id) })
    patients.push(await someone(system, 'patients', {}))
  }
  return { doctors, patients }
}

async function someone(system: System, kind: string, more: object) {
  const email = `${kind}-${crypto.randomUUID()}@example.com`
  const { id } = await must<{ id: string }>(system, 'POST', `/v1/auth/${kind}`, undefined, {
    name: 'Alguém',
    email,
    cpf: cpf.generate(),
    password: PASSWORD,
    ...more
  })
  const { accessToken } = await must<{ accessToken: string }>(system, 'POST', '/v1/auth/login', undefined, {
    identifier: email,
    password: PASSWORD
  })
  return { id, token: accessToken }
}

async function startsOf(system: System, id: string): Promise<string[]> {
  const day = (days: number) => Temporal.Now.plainDateISO('America/Sao_Paulo').add({ days }).toString()
  for (let attempt = 0; attempt < 200; attempt++) {
    const { status, body } = await call<{ slots: { start: string }[] }>(
      system,
      'GET',
      `/v1/doctors/${id}/slots?from=${day(1)}&to=${day(60)}`
    )
    if (status === 200 && body.slots.length > 0) return body.slots.map(({ start }) => start)
    await Bun.sleep(50)
  }
  throw new Error('a doctor is not listed')
}

async function must<Body>(system: System, method: string, path: string, token: string | undefined, body: unknown): Promise<Body> {
  for (let attempt = 0; ; attempt++) {
    const answer = await call<Body>(system, method, path, { token, body })
    if (answer.status < 300) return answer.body
    // what one service did reaches another a moment later
    if (attempt > 100) throw new Error(`${method} ${path} was answered ${answer.status}`)
    await Bun.sleep(50)
  }
}

/** What came of the bookings. */
export type Outcome = {
  asked: number
  acknowledged: Set<string>
  refused: number
  givenUp: number
  slowestMs: number
  stop: () => Promise<void>
}

/** Books at a rate, as clients do that give each wish a key and ask again until they are answered. */
export function startLoad(system: System, { doctors, patients }: Cast, perSecond: number, random: () => number): Outcome {
  const atWork = new Set<Promise<void>>()
  const outcome: Outcome = {
    asked: 0,
    acknowledged: new Set(),
    refused: 0,
    givenUp: 0,
    slowestMs: 0,
    stop: async () => {
      clearInterval(timer)
      await Promise.all(atWork)
    }
  }
  const any = <T>(list: T[]) => list[Math.floor(random() * list.length)] as T
  const bookOne = async () => {
    const doctor = any(doctors)
    const [start] = doctor.starts.splice(Math.floor(random() * doctor.starts.length), 1)
    if (!start) return
    const key = crypto.randomUUID()
    const { token } = any(patients)
    outcome.asked++
    const since = performance.now()
    for (let attempt = 0; attempt < 120; attempt++) {
      const answer = await call<{ id: string }>(system, 'POST', '/v1/appointments', {
        token,
        body: { doctorId: doctor.id, start },
        headers: { 'idempotency-key': key }
      }).catch(() => undefined)
      if (answer?.status === 201) {
        outcome.acknowledged.add(answer.body.id)
        outcome.slowestMs = Math.max(outcome.slowestMs, performance.now() - since)
        return
      }
      const again =
        !answer || answer.status >= 500 || answer.status === 429 || (answer.body as { code?: string }).code === 'idempotency_in_progress'
      if (!again) return void outcome.refused++
      await Bun.sleep(500)
    }
    outcome.givenUp++
  }
  const since = performance.now()
  let begun = 0
  // by the clock and not by the tick: a busy machine must not make it easier
  const timer = setInterval(() => {
    for (const due = ((performance.now() - since) / 1000) * perSecond; begun < due; begun++) {
      const work = bookOne().finally(() => atWork.delete(work))
      atWork.add(work)
    }
  }, 10)
  return outcome
}
