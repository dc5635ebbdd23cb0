import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { roles } from '../data/provision.ts'

const root = join(import.meta.dir, '..', '..')

/** How a process ends that is started with these settings and nothing else. */
async function endOf(main: string, env: Record<string, string>) {
  const child = Bun.spawn([process.execPath, join(root, main)], {
    env: { PATH: process.env.PATH ?? '', ...env },
    stdout: 'pipe',
    stderr: 'pipe'
  })
  const [said, code] = await Promise.all([new Response(child.stderr).text(), child.exited])
  return { said, code }
}

const passwords = Object.fromEntries(roles.map((role) => [`${role.toUpperCase()}_PASSWORD`, 'x']))
const broker = { ADMIN_BROKER_API: 'http://healthmed:secret@127.0.0.1:1/api', AUTH_BROKER_PASSWORD: 'x' }

test('the job that prepares the database names the passwords at the broker that are missing, before it touches anything', async () => {
  const { code, said } = await endOf('platform/setup/prepare.ts', {
    ADMIN_DATABASE_URL: 'postgres://nobody@127.0.0.1:1/x',
    ...passwords,
    ...broker
  })
  expect(code).toBe(78)
  for (const name of ['SCHEDULING', 'NOTIFIER'])
    expect(said).toContain(`${name}_BROKER_PASSWORD is missing, which ADMIN_BROKER_API needs, for example`)
  expect(said).not.toContain('AUTH_BROKER_PASSWORD')
})

test('every process refuses a list of proxies that is none, with an example', async () => {
  for (const main of ['gateway/main.ts', 'services/auth/main.ts']) {
    const { code, said } = await endOf(main, { TRUSTED_PROXIES: '10.0.0.0/33' })
    expect([main, code, said]).toEqual([main, 78, expect.stringContaining('TRUSTED_PROXIES is not valid, for example 10.0.0.0/8')])
  }
})
