import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { MAX_BODY } from '#platform/http/body'
import { type Cast, castOf, type Operation, operationsOf, type Schema, tokenFor } from './operations.ts'
import { type System, startSystem } from './system.ts'

let system: System
let cast: Cast
let operations: Operation[]

beforeAll(async () => {
  system = await startSystem()
  cast = await castOf(system)
  // who logs out is refused from then on, and nothing would be read
  operations = (await operationsOf(system)).filter(({ method, path }) => method !== 'GET' && !path.includes('/logout'))
}, 120_000)
afterAll(() => system?.stop(), 30_000)

/** A text of nearly the size of the largest body. */
const long = (piece: string, size = MAX_BODY - 200) => piece.repeat(Math.floor(size / piece.length))
const wrapped = (open: string, middle: string, close: string, depth: number) => open.repeat(depth) + middle + close.repeat(depth)
const object = (fields: string[]) => `{${fields.join(',')}}`

/** Bodies of up to 64 KiB that any operation must refuse. */
const everywhere: Record<string, string> = {
  'lists in lists': wrapped('[', '', ']', MAX_BODY / 2 - 1),
  'lists in lists without an end': '['.repeat(MAX_BODY - 1),
  'objects in objects': wrapped('{"a":', '0', '}', 10_000),
  'objects in objects without an end': long('{"a":'),
  'lists and objects in turn': wrapped('[{"a":', '0', '}]', 8_000),
  'the deepest that is allowed, and wide': wrapped('[', long('0,').slice(0, -400).concat('0'), ']', 60),
  'deep in a field': `{"reason":${wrapped('[', '', ']', 30_000)}}`,
  'brackets in a text, then deep': `{"a":"${'['.repeat(10_000)}","b":${wrapped('[', '', ']', 20_000)}}`,
  'five thousand unknown fields': object(Array.from({ length: 5_000 }, (_, nth) => `"f${nth}":0`)),
  'one long name': `{"${long('n')}":0}`,
  'sixty long names': object(Array.from({ length: 60 }, (_, nth) => `"${nth}${'n'.repeat(1_000)}":0`)),
  'a wide list': `[${long('0,')}0]`,
  'a list of empty objects': `[${long('{},')}{}]`,
  'a long number': `{"a":${long('9')}}`,
  'escapes of half a pair': `["${long('\\ud800')}"]`,
  backslashes: `"${long('\\\\')}"`,
  'no JSON': long('x')
}
/** Texts on which patterns that go back and forth take long. */
const texts = ['@', 'a@', 'a.', ' ', '1', '-', '\\n']

/** Bodies that fill each field of an operation in turn. */
function byField(schema: Schema | undefined): Record<string, string> {
  const fields = Object.entries(schema?.properties ?? {})
  return Object.fromEntries(
    fields.flatMap(([name, { type, anyOf }]) => {
      if (type === 'array') {
        const items = Array.from({ length: 4_000 }, (_, nth) => `"${nth}xxxxxxx"`)
        return [[`${name}: four thousand items`, `{"${name}":[${items.join(',')}]}`]]
      }
      if (type !== 'string' && !anyOf) return []
      return texts.map((piece) => [`${name}: ${piece} again and again`, `{"${name}":"${long(piece)}"}`])
    })
  )
}

const processes = () => system.names.map((name) => system.pidOf(name))
/** Processor time of all processes in milliseconds. */
const cpuMs = () => {
  const ticks = processes().map((pid) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [])
  return ticks.reduce((sum, fields) => sum + (Number(fields[11]) + Number(fields[12])) * 10, 0)
}
const memory = (field: 'VmRSS' | 'VmHWM') =>
  processes().map((pid) => Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024)

async function refuse(operation: Operation, body: string): Promise<number> {
  const token = tokenFor(operation, cast)
  const answer = await fetch(system.url + operation.path.replace(/\{\w+\}/g, '019b0d5e-3c4f-7a31-9f0e-2f6f1f0c9a11'), {
    method: operation.method,
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    body
  })
  await answer.bytes()
  return answer.status
}

/** Milliseconds of processor time that one refusal takes, of several. */
async function costOf(operation: Operation, body: string, times: number): Promise<number> {
  const before = cpuMs()
  for (let time = 0; time < times; time++) {
    const status = await refuse(operation, body)
    if (operation.body && ![400, 422].includes(status)) throw new Error(`${operation.method} ${operation.path} answered ${status}`)
  }
  return (cpuMs() - before) / times
}

const TIMES = 4
/** What a body of 64 KiB may cost in terms of one of a few bytes: reading and parsing it costs some twenty times as much. */
const FACTOR = 30
/** The clock of the operating system counts in steps of 10 ms, and the processes do some work of their own. */
const SLACK_MS = 15

test('refusing a body of 64 KiB costs little more than refusing a small one, in time and memory, at every operation', async () => {
  for (const operation of operations) await costOf(operation, '[0]', 4)
  const small = (await costOf(operations.find(({ path }) => path === '/v1/auth/login') as Operation, '{"a":0}', 200)) || 0.1
  for (const pid of processes()) writeFileSync(`/proc/${pid}/clear_refs`, '5')
  const before = memory('VmRSS')
  for (const operation of operations) {
    for (const [shape, body] of Object.entries({ ...everywhere, ...byField(operation.body) })) {
      expect(body.length).toBeLessThanOrEqual(MAX_BODY)
      const cost = await costOf(operation, body, TIMES)
      if (cost > small * FACTOR + SLACK_MS)
        throw new Error(`${operation.method} ${operation.path}, ${shape}: ${cost} ms each, a small one ${small} ms`)
    }
  }
  const grown = memory('VmHWM').map((peak, nth) => peak / (before[nth] as number))
  expect(Math.max(...grown)).toBeLessThan(3)
}, 240_000)

test('what is nested too deep is refused by the gateway and by each service, as malformed JSON', async () => {
  for (const name of system.names) {
    const path = { auth: '/v1/auth/login', scheduling: '/v1/holds', notifier: '/v1/admin/dead-letters/replay', gateway: '/v1/auth/login' }[
      name as 'auth'
    ]
    const token = name === 'notifier' ? cast.tokens.admin : cast.tokens.patient
    const ask = async (body: string) => {
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` }
      const answer = await fetch(system.urlOf(name) + path, { method: 'POST', headers, body })
      return [name, answer.status, ((await answer.json()) as { code: string }).code]
    }
    expect(await ask(wrapped('[', '', ']', 65))).toEqual([name, 400, 'malformed_json'])
    expect(await ask(wrapped('{"a":', '0', '}', 65))).toEqual([name, 400, 'malformed_json'])
    expect(await ask(wrapped('[', '', ']', 64))).toEqual([name, 422, 'validation_failed'])
    expect(await ask(`["${'[{'.repeat(100)}\\"${'[{'.repeat(100)}"]`)).toEqual([name, 422, 'validation_failed'])
  }
})
