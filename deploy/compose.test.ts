import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { unusedByContainers } from '#platform/setup/prepare-settings'
import { startSchema } from '../dev/start-settings.ts'
import { settingsOf } from '../ops/service-settings.ts'

type Service = {
  networks?: string[]
  deploy?: { resources?: { limits?: { cpus?: string; memory?: string } } }
  healthcheck?: object
  build?: object
  environment?: Record<string, string>
}
type Compose = { services: Record<string, Service> }
const read = (file: string) => Bun.YAML.parse(readFileSync(join(import.meta.dir, '..', file), 'utf8')) as Compose
const { services } = read('docker-compose.yml')
const pooled = read('deploy/pgbouncer/compose.yml').services

test('no container may take the whole machine', () => {
  const unlimited = Object.entries({ ...pooled, ...services, pgbouncer: pooled.pgbouncer }).filter(([, service]) => {
    const limits = service?.deploy?.resources?.limits
    return !limits?.cpus || !limits.memory
  })
  expect(unlimited.map(([name]) => name)).toEqual([])
})

test('who speaks with the mail server finds a way out, and nobody has a service on two networks that both are on', () => {
  for (const name of ['notifier', 'ops']) expect([name, services[name]?.networks]).toEqual([name, ['internal', 'outside']])
  const alsoOutside = Object.entries(services).filter(([, { networks }]) => networks?.includes('outside'))
  expect(alsoOutside.map(([name]) => name).sort()).toEqual(['notifier', 'ops'])
})

test('what others wait for says when it is ready, by itself or by its image', () => {
  for (const name of ['postgres', 'rabbitmq']) expect([name, services[name]?.healthcheck !== undefined]).toEqual([name, true])
  expect(pooled.pgbouncer?.healthcheck).toBeDefined()
})

const text = readFileSync(join(import.meta.dir, '..', 'docker-compose.yml'), 'utf8')
/** Set by the image, the same in each container. */
const ofTheImage = ['PORT', 'HOST']
/** What the file says itself: how the containers find each other, and whom the services believe. */
const fixed = ['AUTH_URL', 'SCHEDULING_URL', 'NOTIFIER_URL', 'OPS_PORT']

test.each(Object.entries(settingsOf))('every setting of %s reaches it through compose', (name, schema) => {
  const given = services[name]?.environment ?? {}
  const unknown = Object.keys(given).filter((setting) => !(setting.replace(/_FILE$/, '') in schema.properties))
  expect(unknown).toEqual([])
  const lost = Object.keys(schema.properties).filter((setting) => {
    if (ofTheImage.includes(setting) || given[`${setting}_FILE`]?.startsWith('/run/secrets/')) return false
    if (fixed.includes(setting) || (name !== 'gateway' && setting === 'TRUSTED_PROXIES')) return given[setting] === undefined
    return !given[setting]?.startsWith(`\${${setting}:-`)
  })
  expect(lost).toEqual([])
})

test('a setting that the containers do not use is refused by the job that runs before them, by name', () => {
  const list = services.migrate?.environment?.UNUSED_SETTINGS ?? ''
  const used = new Set([...text.replace(list, '').matchAll(/\$\{(\w+):-/g)].map(([, name]) => name))
  const known = new Set([
    ...Object.keys(startSchema.properties),
    ...Object.values(settingsOf).flatMap(({ properties }) => Object.keys(properties))
  ])
  const fromSecrets = ['SMTP_URL'] // deploy/init-secrets reads it
  for (const name of known) {
    if (used.has(name) || fromSecrets.includes(name)) expect([name, list.includes(`{${name}:+`)]).toEqual([name, false])
    else expect([name, list.includes(`\${${name}:+${name}}`)]).toEqual([name, true])
  }
  expect(unusedByContainers({ UNUSED_SETTINGS: '  DATA_DIR   HOST ' }).map((line) => line.split(':')[0])).toEqual([
    'DATA_DIR is not used by docker compose',
    'HOST is not used by docker compose'
  ])
  expect(unusedByContainers({ UNUSED_SETTINGS: '    ' })).toEqual([])
})
