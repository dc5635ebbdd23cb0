import { join } from 'node:path'
import type { Schema } from '#platform/data/provision'
import { freePort } from '#platform/setup/ports'
import { type Running, run, untilReady } from './process.ts'
import type { Registry } from './registry.ts'
import { keySettings, type Secrets } from './secrets.ts'
import { environmentFor, type Name, type StartSettings } from './start-settings.ts'

const root = join(import.meta.dir, '..')

/**
 * How Bun's allocator works in the two processes that every call passes through, as their images have it too: pages that were freed are kept for what
 * comes next. Giving them back and faulting them in anew took a fifth of the gateway's processor time; what such a process holds stays at the most that
 * it once needed.
 */
export const allocation = { MIMALLOC_PURGE_DELAY: '-1' }

/** Where the services find everything that they need. */
export type Surroundings = {
  settings: StartSettings
  secrets: Secrets
  databaseUrl: (schema: Schema) => string
  brokerUrl: (schema: Schema) => string
  smtpUrl: string
}

/** What a process is started with: its ports stay the same when it is started again. */
export type Plan = { name: Name; env: Record<string, string | undefined>; readyUrl: string; url: string }

/** Picks the ports and puts the environments together: what is worked out here, over the settings of the process as they were given. */
export async function planServices({ settings, secrets, databaseUrl, brokerUrl, smtpUrl }: Surroundings): Promise<Plan[]> {
  const [auth, scheduling, notifier] = [freePort(), freePort(), freePort()]
  const gatewayOps = settings.OPS_PORT ?? freePort()
  const host = localHost(settings.HOST)
  const shared = {
    PATH: process.env.PATH,
    // in any other mode Elysia prints what was sent into each refusal
    NODE_ENV: 'production',
    TZ: 'UTC',
    PUBLIC_URL: `http://localhost:${settings.PORT}`,
    AUTH_URL: local(auth),
    SCHEDULING_URL: local(scheduling),
    NOTIFIER_URL: local(notifier)
  }
  const service = (name: Schema, port: number, env: Record<string, string | undefined>): Plan => ({
    name,
    url: local(port),
    readyUrl: `${local(port)}/health/ready`,
    env: {
      ...shared,
      ...environmentFor(name, settings),
      SERVICE_NAME: name,
      PORT: String(port),
      DATABASE_URL: databaseUrl(name),
      RABBITMQ_URL: brokerUrl(name),
      ...env
    }
  })
  return [
    service('auth', auth, {
      ...keySettings('auth', secrets),
      ADMIN_PASSWORD: secrets.adminPassword
    }),
    service('scheduling', scheduling, { ...allocation, ...keySettings('scheduling', secrets) }),
    service('notifier', notifier, { ...keySettings('notifier', secrets), SMTP_URL: smtpUrl }),
    {
      name: 'gateway',
      url: local(settings.PORT, host),
      readyUrl: `${local(gatewayOps, host)}/health/ready`,
      env: { ...shared, ...environmentFor('gateway', settings), ...allocation, SERVICE_NAME: 'gateway', OPS_PORT: String(gatewayOps) }
    }
  ]
}

const local = (port: number, host = '127.0.0.1') => `http://${host}:${port}`

/** Where this machine reaches what listens at HOST. */
function localHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}

/**
 * Starts one of the processes and waits until it is ready. Throws with the last lines of its log where it is not. It gets its settings from here alone:
 * `.env` must not fill in what is left out on purpose.
 */
export async function startService({ name, env, readyUrl }: Plan, log: string, registry: Registry): Promise<Running> {
  const isGateway = name === 'gateway'
  const command = [process.execPath, '--no-env-file', isGateway ? 'gateway/main.ts' : `services/${name}/main.ts`]
  const running = await run({ name, command, env, cwd: root, log, stopWithinMs: 3_000, tier: isGateway ? 4 : 3, registry })
  await untilReady(running, log, 30_000, async () => (await fetch(readyUrl)).ok)
  return running
}
