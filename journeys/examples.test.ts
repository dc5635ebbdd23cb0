import { afterAll, beforeAll, expect, test } from 'bun:test'
import { call, newPatient, slotsOf } from './client.ts'
import { type Cast, castOf, type Operation, operationsOf, tokenFor } from './operations.ts'
import { type System, startSystem } from './system.ts'

/* Swagger's "Try it out" and "Execute", without a change to what the form begins with, by somebody who may call. */

let system: System
let cast: Cast
beforeAll(async () => {
  system = await startSystem()
  cast = await castOf(system)
  // until the directory knows the doctor
  await slotsOf(system, cast.doctor.id)
}, 120_000)
afterAll(() => system?.stop(), 30_000)

async function execute(operation: Operation) {
  const { method, parameters, bodyExample } = operation
  const path = operation.path.replace(/\{(\w+)\}/g, (_, name) => String(parameters.find((parameter) => parameter.name === name)?.example))
  const required = parameters.filter((parameter) => parameter.in === 'query' && parameter.required)
  const query = new URLSearchParams(required.map(({ name, example }): [string, string] => [name, String(example)]))
  // each by a patient of its own: one example may take what another needs
  const isPatients = operation.roles === 'any' || (Array.isArray(operation.roles) && operation.roles.includes('patient'))
  const token = isPatients ? (await newPatient(system)).token : tokenFor(operation, cast)
  const answer = await call<{ code?: string; id?: string }>(system, method, `${path}?${query}`, { token, body: bodyExample })
  // the next example needs the same slot
  if (operation.path === '/v1/holds' && answer.status === 201) await call(system, 'DELETE', `/v1/holds/${answer.body.id}`, { token })
  return answer
}

/** What cannot be had without a token of a mail, a log-in or an authenticator. */
const needsToken = /\/(email\/verify|password\/reset|login\/mfa|refresh|mfa\/totp|mfa\/totp\/activate|invitations\/accept)$/
const MISSING = /_?not_found$/
/** What names a doctor, a slot or nothing but what everybody has goes through. */
const goesThrough: Record<string, number> = {
  'POST /v1/auth/patients': 201,
  'POST /v1/auth/doctors': 201,
  'POST /v1/auth/login': 200,
  'PATCH /v1/auth/me': 200,
  'PUT /v1/doctors/me/profile': 200,
  'PUT /v1/doctors/me/schedule': 200,
  'POST /v1/doctors/me/exceptions': 201,
  'GET /v1/doctors/{id}': 200,
  'GET /v1/doctors/{id}/slots': 200,
  'GET /v1/slots': 200,
  'POST /v1/holds': 201,
  'POST /v1/appointments': 201,
  'POST /v1/waitlist': 201,
  'POST /v1/admin/dead-letters/replay': 202
}

test('every example is taken as it stands, and those that need nothing of the caller’s own go through', async () => {
  const done = new Map<string, number>()
  // those that change the doctor come last, so that there are slots for the others
  const operations = (await operationsOf(system)).filter(({ path }) => path !== '/v1/events')
  const last = ({ method, path }: Operation) => Number(method !== 'GET' && path.startsWith('/v1/doctors/me'))
  for (const operation of operations.sort((a, b) => last(a) - last(b))) {
    const name = `${operation.method} ${operation.path}`
    const { status, body } = await execute(operation)
    done.set(name, status)
    if (needsToken.test(operation.path)) expect([name, status < 500]).toEqual([name, true])
    else if (status === 404) expect([name, body.code]).toEqual([name, expect.stringMatching(MISSING)])
    else expect([name, status, body.code, status < 400]).toEqual([name, status, body.code, true])
  }
  for (const [name, status] of Object.entries(goesThrough)) expect([name, done.get(name)]).toEqual([name, status])
}, 120_000)
