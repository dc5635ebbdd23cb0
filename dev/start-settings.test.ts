import { expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TObject, TSchema } from '@sinclair/typebox'
import type { Passwords } from '#platform/data/provision'
import { parseSettings } from '#platform/setup/settings'
import { settingsOf } from '../ops/service-settings.ts'
import packageJson from '../package.json' with { type: 'json' }
import { planServices } from './services.ts'
import { composeOnly, type StartSettings, startSchema, unusedSettings } from './start-settings.ts'

const root = join(import.meta.dir, '..')
const processes = Object.entries<TObject>(settingsOf)

/** A valid value that is not the default. */
function sampleOf(name: string, { type, pattern = '', minimum = 0, default: usual, examples = [] }: TSchema): string {
  if (type === 'integer') return String((usual ?? minimum) + 1)
  if (name === 'SMTP_CA') return '-----BEGIN CERTIFICATE-----'
  if (name === 'ADMIN_PASSWORD') return 'a long enough one'
  if (name === 'LOG_LEVEL') return 'warn'
  const words = /^\^\(([\w|]+)\)\$$/.exec(pattern)?.[1]?.split('|')
  return words?.find((word) => word !== usual) ?? String(examples[0])
}
const samples = Object.fromEntries(
  Object.entries<TSchema>(startSchema.properties).map(([name, schema]) => [name, sampleOf(name, schema)])
) as Record<string, string>

/** What the processes get where `given` is set for `bun start`. */
async function environmentsFor(given: Record<string, string>) {
  const plans = await planServices({
    settings: parseSettings(startSchema, given) as StartSettings,
    secrets: {
      postgresPassword: 'p',
      rabbitPassword: 'r',
      rolePasswords: {} as Passwords,
      brokerPasswords: { auth: 'a', scheduling: 's', notifier: 'n' },
      encryptionKey: 'a'.repeat(64),
      indexKey: 'b'.repeat(64),
      encryptionKeys: { scheduling: 'c'.repeat(64), notifier: 'd'.repeat(64) },
      eventKeys: { auth: 'e'.repeat(64), scheduling: 'f'.repeat(64) },
      adminPassword: given.ADMIN_PASSWORD ?? 'made by the first start'
    },
    databaseUrl: (schema) => `postgres://${schema}@127.0.0.1/healthmed`,
    brokerUrl: (schema) => given.RABBITMQ_URL ?? `amqp://${schema}@127.0.0.1`,
    smtpUrl: given.SMTP_URL ?? 'smtp://127.0.0.1:1025'
  })
  return Object.fromEntries(plans.map(({ name, env }) => [name, env as Record<string, string>]))
}

/** Worked out for a service, or not its own though it has the name: it listens on this machine, and believes the gateways of this machine. */
const notPassedOn = {
  gateway: [],
  auth: ['PORT', 'HOST', 'TRUSTED_PROXIES'],
  scheduling: ['PORT', 'HOST', 'TRUSTED_PROXIES'],
  notifier: ['PORT', 'HOST', 'TRUSTED_PROXIES']
}

test('every setting of a process reaches it through `bun start`', async () => {
  const environments = await environmentsFor(samples)
  for (const [name, schema] of processes) {
    const got = parseSettings(schema, environments[name] ?? {}) as Record<string, unknown>
    const lost = Object.keys(schema.properties)
      .filter((setting) => !notPassedOn[name as keyof typeof notPassedOn].includes(setting as never))
      .filter((setting) => (setting in samples ? String(got[setting]) !== samples[setting] : environments[name]?.[setting] === undefined))
    expect([name, lost]).toEqual([name, []])
  }
  expect(environments.auth?.TRUSTED_PROXIES).toBeUndefined()
  expect(environments.auth?.HOST).toBeUndefined()
})

test('what is not set takes the default of the process, and mails link to the port', async () => {
  const { gateway, notifier, scheduling } = await environmentsFor({ PORT: '9000' })
  expect(gateway).toMatchObject({ PORT: '9000', HOST: '127.0.0.1', TRUSTED_PROXIES: 'none', MAX_IN_FLIGHT: '2000' })
  for (const env of [notifier, scheduling]) expect(env?.PUBLIC_URL).toBe('http://localhost:9000')
  const { notifier: online } = await environmentsFor({ PUBLIC_URL: 'https://clinic.example' })
  expect(online?.PUBLIC_URL).toBe('https://clinic.example')
})

test('a setting of this product that `bun start` does not use is refused by name, and those of other programs are none of its business', () => {
  const known = processes.flatMap(([, schema]) => Object.keys(schema.properties))
  const compose = [...readFileSync(join(root, 'docker-compose.yml'), 'utf8').matchAll(/\$\{(\w+)/g)].map(([, name = '']) => name)
  for (const name of new Set([...known, ...compose, 'ADMIN_DATABASE_URL', 'AUTH_PASSWORD', 'ADMIN_BROKER_API_FILE'])) {
    if (name === 'SECRETS_OWNER') continue // written into .env by deploy/init-secrets itself
    const refused = unusedSettings({ [name]: 'x' }).map((line) => line.split(' ')[0])
    expect([name, refused]).toEqual([name, name.replace(/_FILE$/, '') in startSchema.properties ? [] : [name]])
  }
  for (const name of Object.keys(composeOnly)) expect(compose).toContain(name)
  expect(unusedSettings({ DATABASE_URL_FILE: '/x' })).toEqual([
    'DATABASE_URL_FILE is not used by `bun start`: set POSTGRES_URL to use a PostgreSQL server of your own'
  ])
  expect(unusedSettings({ PATH: '/bin', EDITOR: 'vi', SECRETS_OWNER: '1000:1000', DATABASE_URL: '' })).toEqual([])
})

const start = async (env: Record<string, string>) => {
  const child = Bun.spawn([process.execPath, '--no-env-file', 'dev/start.ts'], {
    cwd: root,
    env: { PATH: process.env.PATH ?? '', ...env },
    stdout: 'pipe',
    stderr: 'pipe'
  })
  const said = await new Response(child.stderr).text()
  return { code: await child.exited, said: `${said}${await new Response(child.stdout).text()}` }
}

test('`bun start` names every wrong setting at once, and ends with 78 before it starts anything', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'healthmed-start-'))
  const file = join(folder, 'file')
  writeFileSync(file, '')
  try {
    const wrong = {
      POSTGRES_URL: 'postgres://admin:hunter2@:port/x',
      ADMIN_EMAIL: 'admin',
      PUBLIC_URL: 'clinic.example',
      TRUSTED_PROXIES: 'nginx',
      CORS_ORIGINS: 'https://app.clinic.example/',
      MAIL_FROM: 'clinic',
      MAX_IN_FLIGHT: 'many'
    }
    const unused = { AUTH_URL: 'http://127.0.0.1:8000', GATEWAY_PORTS: '8080-8081', ENCRYPTION_KEY_FILE: '/x' }
    const { code, said } = await start({ DATA_DIR: join(folder, 'data'), ...wrong, ...unused })
    expect(code).toBe(78)
    for (const name of Object.keys(wrong)) expect(said).toContain(`- ${name} is not valid, for example `)
    for (const name of Object.keys(unused)) expect(said).toContain(`- ${name} is not used by \`bun start\`: `)
    expect(said).not.toContain('hunter2')
    for (const dir of [file, join(file, 'below'), '/proc/healthmed']) {
      const refused = await start({ DATA_DIR: dir, DATABASE_URL: 'postgres://x' })
      expect(refused).toEqual({ code: 78, said: expect.stringContaining('- DATA_DIR is not a directory that this user can write to') })
      expect(refused.said).toContain('- DATABASE_URL is not used by `bun start`')
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})

const badUrls = ['postgres://', 'postgres://admin@', 'postgres://a:b%zz@host/x', 'postgres://host:port/x', 'mysql://host/x', '/x']
test.each(badUrls)('%p is no POSTGRES_URL', (value) => {
  expect(() => parseSettings(startSchema, { POSTGRES_URL: value })).toThrow('POSTGRES_URL is not valid, for example postgres://')
})
test.each(['admin', '@clinic.example', 'a@', 'a b@clinic.example', 'Ana <ana@clinic.example>', 'a@b@c', 'a@x,b@y'])(
  '%p is no ADMIN_EMAIL',
  (value) => {
    expect(() => parseSettings(startSchema, { ADMIN_EMAIL: value })).toThrow('ADMIN_EMAIL is not valid, for example admin@')
  }
)

test('.env.example names every setting of `bun start` and of compose, with values that are valid, and sets none', () => {
  const lines = readFileSync(join(root, '.env.example'), 'utf8').split('\n')
  const shown = lines.flatMap((line) => (/^#(\w+)=(.*)$/.exec(line) ? [line.slice(1).split(/=(.*)/s).slice(0, 2) as [string, string]] : []))
  expect(lines.filter((line) => line !== '' && !line.startsWith('#'))).toEqual([])
  const compose = readFileSync(join(root, 'docker-compose.yml'), 'utf8').matchAll(/\$\{(\w+):-/g)
  const known = new Set([...Object.keys(startSchema.properties), ...[...compose].map(([, name = '']) => name)])
  expect(shown.map(([name]) => name.replace(/^SMTP_CA_FILE$/, 'SMTP_CA')).sort()).toEqual([...known].sort())
  const given = Object.fromEntries(
    shown.filter(([name]) => name in startSchema.properties).map(([name, value]) => [name, value.replaceAll("'", '')])
  )
  expect(() => parseSettings(startSchema, given)).not.toThrow()
})

test('the commands that look at this system read .env, and nothing else does by itself', async () => {
  for (const name of ['start', 'ops', 'keys', 'tour', 'dev:fill'] as const)
    expect([name, packageJson.scripts[name]]).toEqual([name, expect.stringContaining('bun --env-file=.env ')])
  expect(readFileSync(join(root, 'bunfig.toml'), 'utf8')).toContain('\nenv = false\n')
  const folder = mkdtempSync(join(tmpdir(), 'healthmed-env-'))
  try {
    writeFileSync(join(folder, '.env'), 'PUBLIC_URL=clinic.example\nDATABASE_URL=postgres://x\n')
    const flags = [`--env-file=${join(folder, '.env')}`, 'dev/start.ts']
    const child = Bun.spawn([process.execPath, ...flags], {
      cwd: root,
      env: { PATH: process.env.PATH ?? '' },
      stdout: 'pipe',
      stderr: 'pipe'
    })
    const said = await new Response(child.stderr).text()
    expect(await child.exited).toBe(78)
    for (const line of ['- PUBLIC_URL is not valid', '- DATABASE_URL is not used by `bun start`']) expect(said).toContain(line)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
