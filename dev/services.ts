import { join } from 'node:path'
import { freePort } from '#platform/ports'
import type { Schema } from '#platform/provision'
import { type Running, run, untilReady } from './process.ts'
import type { Registry } from './registry.ts'
import type { Secrets } from './secrets.ts'
import type { StartSettings } from './start-settings.ts'

const root = join(import.meta.dir, '..')

/**
 * How Bun's allocator works in the two processes that every call passes through, as their images have it too: pages that were freed are kept for what
 * comes next. Giving them back and faulting them in anew took a fifth of the gateway's processor time; what such a process holds stays at the most that
 * it once needed.
 */
export const allocation = { MIMALLOC_PURGE_DELAY: '-1' }

/** The four processes of the product. */
export const names = ['auth', 'scheduling', 'notifier', 'gateway'] as const
/** A process of the product. */
export type Name = (typeof names)[number]

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

/** Picks the ports and puts the environments together. */
export async function planServices({ settings, secrets, databaseUrl, brokerUrl, smtpUrl }: Surroundings): Promise<Plan[]> {
  const [auth, scheduling, notifier, gatewayOps] = [freePort(), freePort(), freePort(), freePort()]
  const urls = { AUTH_URL: local(auth), SCHEDULING_URL: local(scheduling), NOTIFIER_URL: local(notifier) }
  const shared = {
    PATH: process.env.PATH,
    // in any other mode Elysia prints what was sent into each refusal
    NODE_ENV: 'production',
    TZ: 'UTC',
    LOG_LEVEL: settings.LOG_LEVEL,
    PUBLIC_URL: `http://localhost:${settings.PORT}`,
    MAIL_FROM: settings.MAIL_FROM,
    OTEL_EXPORTER_OTLP_ENDPOINT: settings.OTEL_EXPORTER_OTLP_ENDPOINT,
    ...urls
  }
  const service = (name: Schema, port: number, env: Record<string, string | undefined>): Plan => ({
    name,
    url: local(port),
    readyUrl: `${local(port)}/health/ready`,
    env: { ...shared, SERVICE_NAME: name, PORT: String(port), DATABASE_URL: databaseUrl(name), RABBITMQ_URL: brokerUrl(name), ...env }
  })
  return [
    service('auth', auth, {
      ENCRYPTION_KEY: secrets.encryptionKey,
      INDEX_KEY: secrets.indexKey,
      ADMIN_EMAIL: settings.ADMIN_EMAIL,
      ADMIN_PASSWORD: secrets.adminPassword,
      DOCTOR_APPROVAL: settings.DOCTOR_APPROVAL
    }),
    service('scheduling', scheduling, { ...allocation, EMAIL_VERIFICATION: settings.EMAIL_VERIFICATION }),
    service('notifier', notifier, { SMTP_URL: smtpUrl }),
    {
      name: 'gateway',
      url: local(settings.PORT),
      readyUrl: `${local(gatewayOps)}/health/ready`,
      env: {
        ...shared,
        ...allocation,
        SERVICE_NAME: 'gateway',
        PORT: String(settings.PORT),
        OPS_PORT: String(gatewayOps),
        RATE_LIMIT: settings.RATE_LIMIT,
        GATEWAY_WORKERS: String(settings.GATEWAY_WORKERS)
      }
    }
  ]
}

const local = (port: number) => `http://127.0.0.1:${port}`

/** Starts one of the processes and waits until it is ready. Throws with the last lines of its log where it is not. */
export async function startService({ name, env, readyUrl }: Plan, logDir: string, registry: Registry): Promise<Running> {
  const isGateway = name === 'gateway'
  const log = join(logDir, `${name}.log`)
  const command = [process.execPath, isGateway ? 'gateway/main.ts' : `services/${name}/main.ts`]
  const running = await run({ name, command, env, cwd: root, log, stopWithinMs: 3_000, tier: isGateway ? 4 : 3, registry })
  await untilReady(running, log, 30_000, async () => (await fetch(readyUrl)).ok)
  return running
}
