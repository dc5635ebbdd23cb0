import { expect, test } from 'bun:test'
import { problemReader, watchProblems } from './watch.ts'

test('a problem is printed once when it begins and once when it is over, an unreachable gateway changes nothing', async () => {
  const stalled = { service: 'auth', problem: 'Events have not left for 60 s' }
  const rounds = [[], [stalled], [stalled], new Error('away'), [stalled, { ...stalled, service: 'scheduling' }], [], []]
  const stopping = new AbortController()
  const said: string[][] = []
  await watchProblems(stopping.signal, {
    read: async () => {
      const round = rounds[said.length]
      said.push([])
      if (round instanceof Error) throw round
      return round ?? []
    },
    tell: (line) => said.at(-1)?.push(line),
    pause: async () => {
      if (said.length === rounds.length) stopping.abort()
    }
  })
  expect(said.map((lines) => lines.length)).toEqual([0, 1, 0, 0, 1, 2, 0])
  expect(said[1]?.[0]).toContain('auth: Events have not left for 60 s')
  expect(said[1]?.[0]).toContain('ops doctor')
  expect(said[5]?.every((line) => line.includes('over'))).toBe(true)
})

test('a service that is not ready for 60 s is a problem as well, one that comes back before is none', async () => {
  let nowMs = 0
  const health: { problems?: object[]; services: Record<string, string> } = { services: { auth: 'up', notifier: 'up' } }
  const server = Bun.serve({ port: 0, fetch: () => Response.json(health, { status: 503 }) })
  const read = problemReader(`http://127.0.0.1:${server.port}`, () => nowMs)
  expect(await read()).toEqual([])
  health.services.notifier = 'down'
  expect(await read()).toEqual([])
  nowMs = 59_000
  expect(await read()).toEqual([])
  health.services.notifier = 'up'
  expect(await read()).toEqual([])
  health.services.notifier = 'down'
  expect(await read()).toEqual([])
  nowMs = 119_000
  health.problems = [{ service: 'auth', problem: 'Events have not left for 60 s' }]
  expect((await read()).map(({ service }) => service)).toEqual(['auth', 'notifier'])
  health.services.notifier = 'degraded'
  delete health.problems
  expect(await read()).toEqual([])
  await server.stop(true)
})
