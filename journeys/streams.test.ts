import { afterAll, beforeAll, expect, test } from 'bun:test'
import { eventually } from '#platform/testing/testing'
import { asAdmin, call, logIn, newDoctor, newPatient, PASSWORD, type Person, slotsOf } from './client.ts'
import { type System, startSystem } from './system.ts'

/* An open stream ends with its session, through whichever worker of the gateway or replica of scheduling it runs. */
let system: System
let admin: string
let doctor: Person
beforeAll(async () => {
  system = await startSystem({ GATEWAY_WORKERS: '2' }, { scheduling: 2 })
  admin = await asAdmin(system)
  doctor = await newDoctor(system)
}, 120_000)
afterAll(() => system?.stop(), 30_000)

type Stream = { name: string; isOver: boolean; text: string; leave: () => void }
type Tokens = Awaited<ReturnType<typeof logIn>>

/** Opens a stream on a connection of its own, so that the workers of the gateway share them. */
async function open(name: string, url: string, token: string): Promise<Stream> {
  const control = new AbortController()
  const headers = { authorization: `Bearer ${token}`, connection: 'close' }
  const response = await fetch(`${url}/v1/events`, { headers, signal: control.signal })
  expect([name, response.status]).toEqual([name, 200])
  const stream: Stream = { name, isOver: false, text: '', leave: () => control.abort() }
  void (async () => {
    const decoder = new TextDecoder()
    try {
      for await (const piece of response.body as ReadableStream<Uint8Array>) stream.text += decoder.decode(piece, { stream: true })
    } catch {
      // cut off is over as well
    }
    stream.isOver = true
  })()
  return stream
}

/** Streams of one session through both workers of the gateway (four connections make a miss of one unlikely) and at both replicas directly. */
const openAll = (token: string) =>
  Promise.all([
    ...Array.from({ length: 4 }, () => open('gateway', system.url, token)),
    open('scheduling', system.urlOf('scheduling'), token),
    open('scheduling-2', system.urlOf('scheduling-2'), token)
  ])

const post = (path: string, token?: string, body?: unknown) => call<never>(system, 'POST', path, { token, body })
const resetByMail = async ({ email }: Person) => {
  const sent = system.mailbox.mails.filter(({ to }) => to === email).length
  await post('/v1/auth/password/forgot', undefined, { email })
  const mail = await eventually(() => system.mailbox.mails.filter(({ to }) => to === email)[sent])
  const token = /#token=([\w.-]+)/.exec(mail.text)?.[1]
  return post('/v1/auth/password/reset', undefined, { token, newPassword: 'outra frase bem comprida' })
}
const reuse = async ({ refreshToken }: Tokens) => {
  const refresh = (agent: string) =>
    call<never>(system, 'POST', '/v1/auth/refresh', { body: { refreshToken }, headers: { 'user-agent': agent } })
  await refresh('one')
  return refresh('another')
}
const deleteOther = async (own: Tokens, session: Tokens) => {
  const sid = JSON.parse(Buffer.from(session.accessToken.split('.')[1] ?? '', 'base64url').toString()).sid
  return call<never>(system, 'DELETE', `/v1/auth/sessions/${sid}`, { token: own.accessToken })
}

type Way = (person: Person, session: Tokens, other: Tokens) => Promise<{ status: number }>
const ways: [what: string, way: Way, ends: 'this session' | 'all sessions'][] = [
  ['logout', (_, { accessToken }) => post('/v1/auth/logout', accessToken), 'this session'],
  ['a session that another one deletes', (_, session, other) => deleteOther(other, session), 'this session'],
  ['a refresh token that is used twice', (_, session) => reuse(session), 'this session'],
  [
    'a password change elsewhere',
    (_, __, { accessToken }) =>
      post('/v1/auth/password/change', accessToken, { currentPassword: PASSWORD, newPassword: 'outra frase bem comprida' }),
    'this session'
  ],
  ['logout-all', (_, { accessToken }) => post('/v1/auth/logout-all', accessToken), 'all sessions'],
  ['a password reset', (person) => resetByMail(person), 'all sessions'],
  ['disabling', ({ id }) => post(`/v1/admin/users/${id}/disable`, admin), 'all sessions'],
  [
    'erasure',
    (_, { accessToken }) => call<never>(system, 'DELETE', '/v1/auth/me', { token: accessToken, body: { password: PASSWORD } }),
    'all sessions'
  ]
]

test.each(ways)(
  '%s ends the streams within two seconds',
  async (_, way, ends) => {
    const person = await newPatient(system)
    const [session, other] = [await logIn(system, person.email), await logIn(system, person.email)]
    const streams = await openAll(session.accessToken)
    const others = await openAll(other.accessToken)
    await way(person, session, other)
    const ending = ends === 'this session' ? streams : [...streams, ...others]
    await eventually(() => ending.every(({ isOver }) => isOver), 2_000).catch(() => {
      throw new Error(`still open: ${ending.filter(({ isOver }) => !isOver).map(({ name }) => name)}`)
    })
    if (ends === 'this session') {
      expect(others.filter(({ isOver }) => isOver)).toEqual([])
      // and hear of changes as before
      const start = (await slotsOf(system, doctor.id)).at(-1)?.start
      await eventually(async () => (await post('/v1/appointments', other.accessToken, { doctorId: doctor.id, start })).status === 201)
      await eventually(() => others.every(({ text }) => text.includes('event: appointment')))
    }
    for (const stream of [...streams, ...others]) stream.leave()
  },
  60_000
)
