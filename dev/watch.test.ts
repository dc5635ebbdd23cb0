import { expect, test } from 'bun:test'
import { watchProblems } from './watch.ts'

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
