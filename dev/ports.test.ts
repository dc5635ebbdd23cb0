import { expect, test } from 'bun:test'
import { freePort } from '#platform/setup/ports'
import { holderOf, isFree } from './ports.ts'

test('a port that is held is busy, and its holder is named', async () => {
  const server = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  expect(await isFree(server.port)).toBe(false)
  expect(holderOf(server.port)).toStartWith(`pid ${process.pid} (`)
  server.stop(true)
  expect(await isFree(server.port)).toBe(true)
  expect(holderOf(server.port)).toBeUndefined()
})

test('free ports are free, and each is another', async () => {
  const ports = await Promise.all(Array.from({ length: 20 }, freePort))
  expect(new Set(ports).size).toBe(20)
  expect(await Promise.all(ports.map((port) => isFree(port)))).not.toContain(false)
})
