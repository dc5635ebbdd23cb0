import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isAlive, lastLines, run, untilReady } from './process.ts'
import { DirectoryInUse, openRegistry } from './registry.ts'

const dir = mkdtempSync(join(tmpdir(), 'healthmed-dev-'))
const log = join(dir, 'log')
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const stubborn = "process.on('SIGTERM', () => {}); console.log('up'); setInterval(() => {}, 1000)"
const bun = (script: string) => [process.execPath, '-e', script]
const startStubborn = (more: Partial<Parameters<typeof run>[0]> = {}) =>
  run({ name: 'stubborn', command: bun(stubborn), env: process.env, log, stopWithinMs: 200, ...more })

test('a process that does not heed its signal is ended all the same', async () => {
  const running = await startStubborn()
  await untilReady(running, log, 5_000, async () => lastLines(log) === 'up')
  expect(isAlive(running)).toBe(true)
  await running.stop()
  expect(await running.exited).toBe(-1)
  expect(isAlive(running)).toBe(false)
})

test('a process that ends before it is ready is told with its last words', async () => {
  const running = await run({ name: 'brief', command: bun("console.error('no such file'); process.exit(3)"), env: process.env, log })
  const outcome = untilReady(running, log, 5_000, async () => false)
  expect(outcome).rejects.toThrow(/^brief ended with 3 before it was ready[\s\S]*no such file/)
  await outcome.catch(() => {})
})

test('a program that is not there is named', () => {
  expect(run({ name: 'none', command: ['/no/such/program'], log })).rejects.toThrow('/no/such/program could not be started')
})

test('a directory has one holder, and what a killed one left running is ended by the next', async () => {
  const held = join(dir, 'held')
  const registry = await openRegistry(held)
  await expect(openRegistry(held)).rejects.toThrow(DirectoryInUse)

  const orphan = await startStubborn({ registry })
  // as after a kill -9 of the holder: its number is another process's by now
  writeFileSync(join(held, 'lock.json'), JSON.stringify({ pid: process.pid, identity: 'of another boot' }))
  const ended: string[] = []
  const next = await openRegistry(held, (names) => ended.push(...names))
  expect(ended).toEqual([`stubborn (pid ${orphan.pid})`])
  expect(isAlive(orphan)).toBe(false)
  next.close()
})

test('a recorded number that is now another process is left alone', async () => {
  const held = join(dir, 'reused')
  const other = await startStubborn()
  const first = await openRegistry(held)
  first.add({ ...other, identity: 'of another boot' })
  writeFileSync(join(held, 'lock.json'), '{"pid": 1, "identity": "of another boot"}')
  const told: string[] = []
  const next = await openRegistry(held, (names) => told.push(...names))
  expect(told).toEqual([])
  expect(isAlive(other)).toBe(true)
  next.close()
  await other.stop()
})

test('higher tiers end before lower ones', async () => {
  const registry = await openRegistry(join(dir, 'tiers'))
  await startStubborn({ name: 'server', tier: 0, registry })
  await startStubborn({ name: 'client', tier: 1, registry })
  const ended: string[] = []
  await registry.endAll((name) => ended.push(name))
  expect(ended).toEqual(['client', 'server'])
  expect(readFileSync(join(dir, 'tiers', 'processes.json'), 'utf8')).toStartWith('[')
  registry.close()
})
