import { cpf } from 'cpf-cnpj-validator'
import { clientOf, onceKnown } from '../../dev/client.ts'
import { balance, type Tally } from './balancer.ts'
import { GATEWAYS, gatewaysByUrl } from './engine.ts'

const READERS = 4
/** Light on purpose: what is looked for is failures, not speed. */
const THINK_MS = 40

type Slot = { start: string }
type World = { doctorId: string; tokens: string[] }

/** People for the load: a doctor with hours around the clock, approved by the admin, and sixteen patients, none of whom books too often. */
export async function prepare(adminPassword: string): Promise<World> {
  const { want } = clientOf(GATEWAYS[0])
  const tag = crypto.randomUUID().slice(0, 8)
  const register = (kind: 'patients' | 'doctors', nth: number, more = {}) =>
    want<{ id: string; email: string }>('POST', `/v1/auth/${kind}`, {
      body: {
        name: `Pessoa ${nth}`,
        email: `load-${tag}-${nth}@healthmed.example`,
        cpf: cpf.generate(),
        password: 'carga-leve-mas-longa',
        ...more
      }
    })
  const logIn = async (identifier: string, password = 'carga-leve-mas-longa') =>
    (await want<{ accessToken: string }>('POST', '/v1/auth/login', { body: { identifier, password } })).accessToken
  const doctor = await register('doctors', 0, { crm: `${100_000 + Math.floor(Math.random() * 900_000)}-SP` })
  const admin = await logIn('admin@healthmed.example', adminPassword)
  await want('POST', `/v1/admin/doctors/${doctor.id}/approve`, { token: admin })
  const token = await logIn(doctor.email)
  const profile = { specialties: ['cardiologia'], price: { amount: 20000, currency: 'BRL' }, timezone: 'America/Sao_Paulo' }
  await onceKnown(() => want('PUT', '/v1/doctors/me/profile', { token, body: profile }))
  const rules = [1, 2, 3, 4, 5, 6, 7].map((weekday) => ({ weekday, start: '00:00', end: '24:00' }))
  await want('PUT', '/v1/doctors/me/schedule', { token, body: { slotMinutes: 30, rules } })
  const patients = await Promise.all(Array.from({ length: 16 }, (_, nth) => register('patients', nth + 1)))
  return { doctorId: doctor.id, tokens: await Promise.all(patients.map(({ email }) => logIn(email))) }
}

/** Load that runs until it is stopped: readers of every service, and one patient after another who books and cancels. */
export async function startLoad({ doctorId, tokens }: World): Promise<{ tally: Tally; stop: () => Promise<void> }> {
  const tally: Tally = { requests: 0, failed: [], refused: 0, late: 0, slowestMs: 0, bookings: 0 }
  let stopped = false
  const balancer = balance(await gatewaysByUrl(), tally)
  const { ask } = balancer
  const reads: ((token: string) => Promise<unknown>)[] = [
    () => ask('GET', '/v1/specialties'),
    () => ask('GET', `/v1/doctors/${doctorId}/slots`),
    (token) => ask('GET', '/v1/auth/me', token),
    (token) => ask('GET', '/v1/appointments', token),
    (token) => ask('GET', '/v1/auth/sessions', token)
  ]
  const reader = async (nth: number) => {
    for (let turn = nth; !stopped; turn++) {
      await reads[turn % reads.length]?.(tokens[nth % tokens.length] ?? '')
      await Bun.sleep(THINK_MS)
    }
  }
  const booker = async () => {
    for (let turn = 0; !stopped; turn++) {
      const token = tokens[turn % tokens.length]
      const { body } = await ask('GET', `/v1/doctors/${doctorId}/slots`)
      const slots = (body as { slots?: Slot[] } | undefined)?.slots ?? []
      const start = slots[turn % Math.max(1, slots.length)]?.start
      const booked = await ask('POST', '/v1/appointments', token, { doctorId, start })
      if (booked.status === 201) {
        tally.bookings++
        await ask('POST', `/v1/appointments/${(booked.body as { id: string }).id}/cancel`, token, { reason: 'carga' })
      }
      await Bun.sleep(THINK_MS * 4)
    }
  }
  const work = Promise.all([...Array.from({ length: READERS }, (_, nth) => reader(nth)), booker()])
  return {
    tally,
    stop: async () => {
      stopped = true
      await work
      balancer.stop()
    }
  }
}

/** How many requests may be under way at once. */
export const WIDTH = READERS + 1
