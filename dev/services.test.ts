import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseSettings } from '#platform/setup/settings'
import { planServices, type Surroundings } from './services.ts'
import { startSchema } from './start-settings.ts'

test('every process runs in production mode, from `bun start` as from the images', async () => {
  const surroundings = {
    settings: parseSettings(startSchema, {}),
    secrets: { encryptionKeys: {}, eventKeys: {} },
    databaseUrl: () => '',
    brokerUrl: () => '',
    smtpUrl: ''
  }
  const plans = await planServices(surroundings as unknown as Surroundings)
  expect(plans.map(({ name, env }) => [name, env.NODE_ENV])).toEqual(
    ['auth', 'scheduling', 'notifier', 'gateway'].map((name) => [name, 'production'])
  )
  expect(readFileSync(join(import.meta.dir, '../deploy/Dockerfile'), 'utf8')).toContain('ENV NODE_ENV=production')
})
