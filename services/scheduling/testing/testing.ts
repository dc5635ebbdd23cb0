import SQL from 'sql-template-strings'
import { connect, one, transaction } from '#platform/data/db'
import { sealOfSetting } from '#platform/data/seal'
import { type Event, type EventData, type EventType, sourceOf, type UserSnapshot } from '#platform/events/events'
import { handlerOf } from '#platform/http/app'
import { clientReader } from '#platform/http/client-address'
import { traceparentFrom } from '#platform/setup/log'
import { signer, testDatabase } from '#platform/testing/testing'
import { scheduling } from '../app.ts'
import { expireDue } from '../appointments/expire.ts'
import { clientTags } from '../claims/client.ts'
import type { Limits } from '../claims/limits.ts'
import type { ProfileWish } from '../doctors/model.ts'
import { peopleHandlers } from '../people/follow.ts'
import { useKeys } from '../privacy/reasons.ts'
import type { ScheduleInput } from '../schedule/model.ts'
import { followChanges } from '../stream/changes.ts'

/** A patient as auth tells of one. */
export const somePatient = (more: Partial<UserSnapshot> = {}): UserSnapshot => ({
  id: Bun.randomUUIDv7(),
  role: 'patient',
  name: 'João Ávila',
  email: 'joao@example.com',
  emailVerified: true,
  locale: 'pt-BR',
  timezone: 'America/Sao_Paulo',
  crm: null,
  approval: null,
  disabled: false,
  version: 1,
  ...more
})

/** An approved doctor as auth tells of one. */
export const someDoctor = (more: Partial<UserSnapshot> = {}): UserSnapshot =>
  somePatient({ role: 'doctor', name: 'Dra. Íris Conceição', crm: '123456-SP', approval: 'approved', ...more })

/** Every day of the week from 08:00 to 17:00. */
export const everyDay = (start = '08:00', end = '17:00') => [1, 2, 3, 4, 5, 6, 7].map((weekday) => ({ weekday, start, end }))

/** Where the gateway of a test is, whose word on a client's address is believed. */
const GATEWAY = '127.0.0.1'

/** Whatever an answer may hold: a test names what it looks at, and a field that is not there fails its comparison. */
export type Body = {
  id: string
  code: string
  status: string
  version: number
  start: string
  end: string
  url: string
  expiresAt: string
  nextSlot: string | null
  nextCursor: string | null
  conflicts: string[]
  slots: { start: string; end: string }[]
  items: Body[]
  doctor: { id: string; name: string }
  errors: { path: string }[]
}
/** An answer, its body read as JSON where it is JSON. */
export type Answer<Shape = Body> = { status: number; headers: Headers; body: Shape; text: string }
/** Who calls, with what; `from` is the client's address as a gateway tells it. */
export type Call = { as?: { id: string } | undefined; body?: unknown; headers?: Record<string, string>; replica?: number; from?: string }
/** What a doctor of a test differs in from the standard one. */
export type Practice = {
  profile?: Partial<ProfileWish>
  slotMinutes?: number
  rules?: ScheduleInput['rules']
  user?: Partial<UserSnapshot>
}

/** Who invites in tests. */
export const organizer = { name: 'Health&Med', address: 'no-reply@healthmed.example' }

/** The scheduling service in this process on a database of its own, with as many replicas as asked for, and a clock that the test moves. */
export type Rig = Awaited<ReturnType<typeof startRig>>

/** Starts it on Monday, 4 January 2027, 09:00 in São Paulo. */
export async function startRig({ replicas = 1, max = 10, limits = { perSpecialty: 100, inAll: 100 } as Limits } = {}) {
  const database = await testDatabase('scheduling', { max })
  useKeys(sealOfSetting('b1'.repeat(32)), sealOfSetting('b2'.repeat(32)))
  const { bearer, verify, end, endWith } = await signer()
  let now = Temporal.Instant.from('2027-01-04T12:00:00Z')
  const clock = () => now
  const pools = [database.sql, ...Array.from({ length: replicas - 1 }, () => connect(database.url, { name: 'replica', max }))]
  const changes = await Promise.all(pools.map(followChanges))
  const handlers = pools.map((sql, index) => {
    const clientTag = clientTags(clientReader(GATEWAY), '0f'.repeat(32))
    const needs = {
      sql,
      verify,
      endWith,
      clock,
      limits,
      verification: 'required' as const,
      clientTag,
      publicUrl: 'http://localhost:8080',
      organizer,
      checks: []
    }
    return handlerOf(scheduling({ ...needs, changes: changes[index] as Awaited<ReturnType<typeof followChanges>> }))
  })
  const tokens = new Map<string, string>()

  async function send(method: string, path: string, { as, body, headers, replica = 0, from }: Call = {}): Promise<Response> {
    const authorization = as && { authorization: tokens.get(as.id) ?? '' }
    const content = body !== undefined && { 'content-type': 'application/json' }
    const request = new Request(`http://localhost${path}`, {
      method,
      headers: { ...authorization, ...content, ...(from && { 'x-forwarded-for': from }), ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) })
    })
    return (handlers[replica] as (typeof handlers)[number])(request, from && GATEWAY)
  }

  async function call<Shape = Body>(method: string, path: string, options: Call = {}): Promise<Answer<Shape>> {
    const response = await send(method, path, options)
    const text = await response.text()
    const body = (text && response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : {}) as Shape
    return { status: response.status, headers: response.headers, body, text }
  }

  const tell = <T extends EventType>(type: T, data: EventData<T>) =>
    transaction(database.sql, async (tx) => peopleHandlers(clock)[type]?.(tx, eventOf(type, data) as never))

  async function signIn(user: UserSnapshot, sid?: string): Promise<UserSnapshot> {
    tokens.set(
      user.id,
      await bearer({ ...(user as Parameters<typeof bearer>[0]), ...(sid && { sid }), isRejected: user.approval === 'rejected' })
    )
    return user
  }

  async function person(user: UserSnapshot): Promise<UserSnapshot> {
    await tell('healthmed.user.registered.v1', user)
    return signIn(user)
  }

  return {
    sql: database.sql,
    database,
    send,
    call,
    tell,
    signIn,
    /** Ends a session, as every process learns of it. */
    endSession: end,
    /** The clock of the service; it stands still unless moved. */
    get now() {
      return now
    },
    set now(instant: Temporal.Instant) {
      now = instant
    },
    pass: (time: Temporal.DurationLike) => {
      now = now.add(time)
    },
    expire: (replica = 0) => expireDue(pools[replica] as (typeof pools)[number], now),
    patient: (more: Partial<UserSnapshot> = {}) => person(somePatient(more)),
    /** An approved doctor of cardiology for 350 reais who is there each day from 08:00 to 17:00 by the hour. */
    doctor: async ({ profile, slotMinutes = 60, rules = everyDay(), user }: Practice = {}) => {
      const doctor = await person(someDoctor(user))
      const practice = {
        specialties: ['cardiologia'],
        price: { amount: 35000, currency: 'BRL' },
        timezone: 'America/Sao_Paulo',
        ...profile
      }
      await expected(200, call('PUT', '/v1/doctors/me/profile', { as: doctor, body: practice }))
      await expected(200, call('PUT', '/v1/doctors/me/schedule', { as: doctor, body: { slotMinutes, rules } }))
      return doctor
    },
    slotsOf: async (doctor: { id: string }, query = '') =>
      (await expected(200, call('GET', `/v1/doctors/${doctor.id}/slots${query}`))).body.slots.map(({ start }) => start),
    wish: (
      patient: { id: string },
      doctor: { id: string },
      start: string,
      more: Partial<Call> & { holdId?: string; reason?: string } = {}
    ) => {
      const { holdId, reason, ...options } = more
      const body = { doctorId: doctor.id, start, ...(holdId && { holdId }), ...(reason && { reason }) }
      return call('POST', '/v1/appointments', { as: patient, ...options, body })
    },
    act: (who: { id: string }, id: string, verb: string, body?: unknown, headers: Record<string, string> = {}) =>
      call('POST', `/v1/appointments/${id}/${verb}`, { as: who, body, headers }),
    /** What must never be, whoever raced: two open appointments of one person over each other, a buffer eaten, or a deadlock. */
    harm: () =>
      one<{ overlaps: number; deadlocks: number }>(
        database.sql,
        SQL`select (select count(*) from appointments a join appointments b on a.id < b.id
                     where a.status in ('held', 'requested', 'confirmed') and b.status in ('held', 'requested', 'confirmed')
                       and ((a.doctor_id = b.doctor_id and a.doctor_during && b.doctor_during)
                            or (a.patient_id = b.patient_id and a.during && b.during))) as overlaps,
                   (select deadlocks from pg_stat_database where datname = current_database()) as deadlocks`
      ),
    stop: async () => {
      await Promise.all(changes.map(({ stop }) => stop()))
      await Promise.all(pools.slice(1).map((sql) => sql.end({ timeout: 2 })))
      await database.close()
    }
  }
}

/** The answer if it has the status; throws with its text where it has not. */
export async function expected<Shape>(status: number, answer: Promise<Answer<Shape>>): Promise<Answer<Shape>> {
  const got = await answer
  if (got.status !== status) throw new Error(`${status} was expected, it was ${got.status}: ${got.text}`)
  return got
}

/** `409 slot_taken`, or `201` where there is no code: what a refusal is about, in one word for a comparison. */
export const outcome = ({ status, body }: Answer): string => [status, body.code].filter(Boolean).join(' ')

/** The same, and the bare status where the call went well. */
export const word = (answer: Answer): string => (answer.status < 300 ? String(answer.status) : outcome(answer))

/** What `rig.harm` gives where all is well. */
export const none = { overlaps: 0, deadlocks: 0 }

/** An event as a relay publishes it. */
export const eventOf = <T extends EventType>(type: T, data: EventData<T>): Event<T> => ({
  specversion: '1.0',
  id: Bun.randomUUIDv7(),
  type,
  source: sourceOf(type),
  subject: data.id,
  time: '2027-01-01T00:00:00Z',
  datacontenttype: 'application/json',
  traceparent: traceparentFrom(null),
  requestid: crypto.randomUUID(),
  data
})
