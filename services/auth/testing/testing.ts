import { cpf } from 'cpf-cnpj-validator'
import SQL from 'sql-template-strings'
import { rows } from '#platform/data/db'
import { sealOfSetting } from '#platform/data/seal'
import { mailTokenContext } from '#platform/events/events'
import { handlerOf } from '#platform/http/app'
import { clientReader } from '#platform/http/client-address'
import { verifierOf } from '#platform/identity/caller'
import { testDatabase } from '#platform/testing/testing'
import { makeFirstAdmin } from '../admin/first.ts'
import { auth, type Needs } from '../app.ts'
import { passwordsOf } from '../passwords/hash.ts'
import { afterwards } from '../passwords/reset.ts'
import { sealOf } from '../privacy/seal.ts'
import { followEnded } from '../sessions/end.ts'
import { openKeys } from '../tokens/keys.ts'

/** The password of everybody in these tests. */
export const PASSWORD = 'uma frase que ninguem adivinha'
/** The admin that every rig has. */
export const ADMIN = { email: 'admin@example.com', password: 'frase do admin do consultorio' }

/** What auth and the notifier share. */
const EVENT_KEY = 'ef'.repeat(32)
const notifier = sealOfSetting(EVENT_KEY)

/** An answer with its body read. */
export type Answer<Body = Record<string, unknown>> = { status: number; headers: Headers; body: Body }
/** What a call may carry; `from` is the address at the other end, `agent` its user agent. */
export type Call = { token?: string; body?: unknown; from?: string; agent?: string; headers?: Record<string, string> }
/** What a log-in gave. */
export type Tokens = { accessToken: string; refreshToken: string; user: { id: string; email: string } }

type Own = Partial<Pick<Needs, 'doctorApproval' | 'emailVerification' | 'requireMfa' | 'peers'>>

/** Auth on a database of a test file's own, with a clock that the test moves; `replicas` apps share database and clock. */
export async function rigOf({ replicas = 1, ...own }: { replicas?: number } & Own = {}) {
  const database = await testDatabase('auth')
  const { sql } = database
  let now = Temporal.Instant.from('2027-01-04T12:00:00Z')
  const clock = () => now
  const seal = sealOf('ab'.repeat(32), 'cd'.repeat(32), EVENT_KEY)
  // cheap parameters: these tests are not about how long a hash takes
  const passwords = await passwordsOf({ memoryKib: 256, passes: 1 })
  const parts = await Promise.all(
    Array.from({ length: replicas }, async () => {
      const keys = await openKeys(sql, seal, clock)
      const ended = await followEnded(sql, clock)
      const after = afterwards(() => 0)
      const verify = verifierOf({ keyFor: keys.keyFor, isEnded: ended.isEnded }, () => now.epochMilliseconds)
      const app = auth({
        sql,
        seal,
        keys,
        passwords,
        verify,
        clock,
        clientOf: clientReader('10.0.0.0/8'),
        afterwards: after,
        doctorApproval: 'manual',
        emailVerification: 'required',
        requireMfa: [],
        peers: { scheduling: 'http://127.0.0.1:1', notifier: 'http://127.0.0.1:1' },
        checks: [],
        ...own
      })
      return { keys, ended, after, handle: handlerOf(app) }
    })
  )
  await makeFirstAdmin(sql, passwords, ADMIN, now)

  let turn = 0
  const call = async <Body = Record<string, unknown>>(method: string, path: string, options: Call = {}): Promise<Answer<Body>> => {
    const { token, body, from = '198.51.100.7', agent = 'test', headers } = options
    const part = parts[turn++ % parts.length] as (typeof parts)[number]
    const request = new Request(`http://localhost${path}`, {
      method,
      headers: {
        'user-agent': agent,
        ...(token && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) })
    })
    const response = await part.handle(request, from)
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: (text ? JSON.parse(text) : {}) as Body }
  }
  const post = <Body = { code: string }>(path: string, body?: unknown, options: Call = {}) => call<Body>('POST', path, { ...options, body })
  const wish = (more: Record<string, unknown> = {}) => ({
    name: 'Ana Conceição',
    email: `a-${crypto.randomUUID().slice(0, 8)}@example.com`,
    cpf: cpf.generate(),
    password: PASSWORD,
    ...more
  })
  const login = async (identifier: string, password = PASSWORD, options: Call = {}): Promise<Tokens> => {
    const { status, body } = await post<Tokens>('/v1/auth/login', { identifier, password }, options)
    if (status !== 200) throw new Error(`log-in was answered ${status}: ${JSON.stringify(body)}`)
    return body
  }
  /** Registers somebody and logs in. */
  const person = async (more: Record<string, unknown> = {}) => {
    const about = wish(more)
    const made = await post<{ id: string }>(`/v1/auth/${'crm' in about ? 'doctors' : 'patients'}`, about)
    if (made.status !== 201) throw new Error(`registration was answered ${made.status}: ${JSON.stringify(made.body)}`)
    return { ...about, id: made.body.id, ...(await login(about.email)) }
  }
  return {
    database,
    sql,
    seal,
    call,
    post,
    wish,
    login,
    person,
    parts,
    keys: (parts[0] as (typeof parts)[number]).keys,
    asAdmin: async () => (await login(ADMIN.email, ADMIN.password)).accessToken,
    now: () => now,
    pass: (duration: Temporal.DurationLike) => {
      now = now.add(duration)
    },
    /** What every replica asks for each second, asked now. */
    catchUp: () => Promise.all(parts.map(({ ended, after, keys }) => Promise.all([ended.refresh(), after.settled(), keys.refresh()]))),
    /** The events of a type about somebody, as the outbox has them; the token of a mail is opened, as the notifier does. */
    events: async (type: string, subject: string) => {
      const found = await rows<{ data: Record<string, unknown> }>(
        sql,
        SQL`select data from outbox where type = ${`healthmed.${type}.v1`} and subject = ${subject} order by seq`
      )
      const tokenOf = ({ sealedToken }: Record<string, unknown>) =>
        typeof sealedToken === 'string' ? { token: notifier.open(sealedToken, mailTokenContext(subject)) } : {}
      return found.map(({ data }) => ({ data: { ...data, ...tokenOf(data) } as Record<string, unknown> }))
    },
    stop: async () => {
      for (const { keys, ended } of parts) {
        keys.stop()
        ended.stop()
      }
      await database.close()
    }
  }
}

/** See `rigOf`. */
export type Rig = Awaited<ReturnType<typeof rigOf>>
