import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

type Service = {
  networks?: string[]
  deploy?: { resources?: { limits?: { cpus?: string; memory?: string } } }
  healthcheck?: object
  build?: object
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
