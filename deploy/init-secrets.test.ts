import { afterAll, expect, test } from 'bun:test'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const isRoot = process.getuid?.() === 0
const made: string[] = []
afterAll(() => {
  for (const home of made) rmSync(home, { recursive: true })
})

/** A copy of the script where no real secrets are, beside a `.env` where one is given. */
function home(env?: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'healthmed-secrets-'))
  made.push(dir)
  mkdirSync(join(dir, 'deploy'))
  copyFileSync(join(import.meta.dir, 'init-secrets'), join(dir, 'deploy/init-secrets'))
  if (env !== undefined) writeFileSync(join(dir, '.env'), env)
  return dir
}
function init(dir: string, env: Record<string, string> = {}) {
  return Bun.spawnSync(['sh', join(dir, 'deploy/init-secrets')], { env: { PATH: process.env.PATH ?? '', ...env } })
}
const ownerOf = (path: string) => `${statSync(path).uid}:${statSync(path).gid}`
const modeOf = (path: string) => statSync(path).mode & 0o777
const secretsOf = (dir: string) => readdirSync(join(dir, 'deploy/secrets')).map((name) => join(dir, 'deploy/secrets', name))

test('secrets are made once, and only their owner reads them', () => {
  const dir = home()
  expect(init(dir).exitCode).toBe(0)
  const before = secretsOf(dir).map((path) => readFileSync(path, 'utf8'))
  expect(before.length).toBeGreaterThan(20)
  expect(init(dir).exitCode).toBe(0)
  expect(secretsOf(dir).map((path) => readFileSync(path, 'utf8'))).toEqual(before)
  for (const path of secretsOf(dir)) expect([path, modeOf(path)]).toEqual([path, 0o600])
  expect(readFileSync(join(dir, 'deploy/secrets/smtp_url'), 'utf8')).toBe('smtp://mailbox:1025')
  expect(readFileSync(join(dir, '.env'), 'utf8')).toBe(`SECRETS_OWNER=${ownerOf(join(dir, 'deploy/secrets/admin_password'))}\n`)
  expect(modeOf(join(dir, '.env'))).toBe(0o644)
})

test('a .env that holds more than the owner is for nobody else to read, and keeps what it has', () => {
  const own = `${process.getuid?.() || 1000}:${process.getgid?.() || 1000}`
  const text = `# ours\nSMTP_URL=smtp://user:secret@mail.example:587\nSECRETS_OWNER=${own}\n`
  const dir = home(text)
  chmodSync(join(dir, '.env'), 0o644)
  expect(init(dir).exitCode).toBe(0)
  expect(readFileSync(join(dir, '.env'), 'utf8')).toBe(text)
  expect(modeOf(join(dir, '.env')) & 0o007).toBe(0)
})

test('mails go to the server that the environment or .env named so far, and to whichever was written there since', () => {
  const smtpOf = (dir: string) => readFileSync(join(dir, 'deploy/secrets/smtp_url'), 'utf8')
  const called = home()
  init(called, { SMTP_URL: 'smtp://u:p@called:587' })
  expect(smtpOf(called)).toBe('smtp://u:p@called:587')
  writeFileSync(join(called, 'deploy/secrets/smtp_url'), 'smtps://user:secret@mail.example:465')
  const again = init(called, { SMTP_URL: 'smtp://other:25' })
  expect([again.exitCode, again.stderr.toString()]).toEqual([0, expect.stringContaining('SMTP_URL is not the address in')])
  expect(init(called).stderr.toString()).toBe('')
  expect(smtpOf(called)).toBe('smtps://user:secret@mail.example:465')
  const said = home('SMTP_URL="smtp://u:p@said:587"\n')
  init(said)
  expect(smtpOf(said)).toBe('smtp://u:p@said:587')
})

test.if(isRoot)('by sudo they belong to who called it, and to whom .env says where it says so', () => {
  const called = home()
  expect(init(called, { SUDO_UID: '1234', SUDO_GID: '1235' }).exitCode).toBe(0)
  for (const path of [...secretsOf(called), join(called, 'backups'), join(called, '.env')])
    expect([path, ownerOf(path)]).toEqual([path, '1234:1235'])
  const said = home('SECRETS_OWNER=2001:2002\n')
  expect(init(said, { SUDO_UID: '1234', SUDO_GID: '1235' }).exitCode).toBe(0)
  for (const path of secretsOf(said)) expect([path, ownerOf(path)]).toEqual([path, '2001:2002'])
  const root = home()
  expect(init(root).exitCode).toBe(0)
  for (const path of secretsOf(root)) expect([path, ownerOf(path)]).toEqual([path, '1000:1000'])
})

test('who is not the owner that .env names writes nothing that the containers could not read', () => {
  const dir = home('SECRETS_OWNER=2001:2002\n')
  for (const path of [dir, join(dir, 'deploy')]) chmodSync(path, 0o777)
  const asNobody = isRoot ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : []
  const { exitCode, stderr } = Bun.spawnSync([...asNobody, 'sh', join(dir, 'deploy/init-secrets')])
  expect([exitCode, stderr.toString()]).toEqual([1, expect.stringContaining('SECRETS_OWNER')])
  expect(readdirSync(join(dir, 'deploy'))).toEqual(['init-secrets'])
})
