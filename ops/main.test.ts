import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { testDatabase } from '#platform/testing/testing'

const database = await testDatabase('auth')
const dir = mkdtempSync(join(tmpdir(), 'healthmed-ops-'))
afterAll(async () => {
  await database.close()
  rmSync(dir, { recursive: true })
})

async function ops(args: string[], env: Record<string, string | undefined> = {}) {
  const place = { PATH: process.env.PATH, ADMIN_DATABASE_URL: process.env.TEST_POSTGRES_URL, DATABASE_NAME: database.name }
  const child = Bun.spawn([process.execPath, 'ops/main.ts', ...args], { env: { ...place, ...env }, stdout: 'pipe', stderr: 'pipe' })
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited])
  return { code, said: `${out}${err}` }
}

test('backup writes where it is told, with or without --keep, and says what is not in it', async () => {
  expect(await ops(['backup', dir])).toMatchObject({ code: 0, said: expect.stringContaining('ENCRYPTION_KEY') })
  expect(await ops(['backup', '--keep', '1', dir])).toMatchObject({ code: 0 })
  expect(readdirSync(dir).filter((name) => name.startsWith('healthmed-')).length).toBe(1)
  expect(await ops(['backup', dir, '--keep', 'many'])).toMatchObject({ code: 1, said: expect.stringContaining('--keep') })
})

test('restore names the passwords that it would need', async () => {
  const [folder = ''] = readdirSync(dir).filter((name) => name.startsWith('healthmed-'))
  expect(await ops(['restore', join(dir, folder)])).toMatchObject({ code: 78, said: expect.stringContaining('NOTIFIER_OWNER_PASSWORD') })
})

test('migrate status and doctor tell by their exit code whether all is well', async () => {
  expect(await ops(['migrate', 'status'])).toMatchObject({ code: 0, said: expect.stringContaining('scheduling') })
  expect(await ops(['doctor'])).toMatchObject({ code: 1, said: expect.stringContaining('Signing keys') })
})

test('a setting that is wrong or missing ends each command with 78, named with an example', async () => {
  for (const words of [['backup', dir], ['restore', dir], ['quiet'], ['migrate', 'status'], ['migrate', 'up']]) {
    const { code, said } = await ops(words, { ADMIN_DATABASE_URL: 'mysql://host' })
    expect([words, code, said]).toEqual([words, 78, expect.stringMatching(/ADMIN_DATABASE_URL is not valid, for example postgres:/)])
  }
  const { code, said } = await ops(['migrate', 'up'])
  expect([code, said]).toEqual([78, expect.stringMatching(/AUTH_OWNER_PASSWORD is missing, for example/)])
})

test('what is no command is answered with the usage and 64', async () => {
  expect(await ops(['frobnicate'])).toMatchObject({ code: 64, said: expect.stringContaining('usage: bun run ops') })
})

test('without a place to look at it says how to name one', async () => {
  const nowhere = { ADMIN_DATABASE_URL: undefined, DATA_DIR: dir }
  expect(await ops(['migrate', 'status'], nowhere)).toMatchObject({ code: 1, said: expect.stringContaining('ADMIN_DATABASE_URL') })
})
