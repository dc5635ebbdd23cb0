import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Schema } from '#platform/data/provision'
import { roleUrl } from '#platform/data/provision'
import { readSecrets, type Secrets } from './secrets.ts'

/** The system that `bun start` runs on this machine: its database as the administrator sees it, its broker as a service does, its secrets. */
export type Local = {
  adminUrl: string
  database: string
  brokerUrl: (schema: Schema) => string
  /** As somebody who may look at every queue. */
  brokerAdminUrl: string
  /** Where its mails go; undefined where it has never come so far. */
  smtpUrl: string | undefined
  /** The authorities of its mail server's certificate, where they are private. */
  smtpCa: string | undefined
  secrets: Secrets
}

const smtpFile = (dir: string) => join(dir, 'smtp-url')
const smtpCaFile = (dir: string) => join(dir, 'smtp-ca.pem')

/** Notes where the system's mails go, which may be a server with a password and a certificate of a private authority. */
export function noteSmtp(dir: string, url: string, ca = ''): void {
  writeFileSync(smtpFile(dir), url, { mode: 0o600 })
  writeFileSync(smtpCaFile(dir), ca, { mode: 0o600 })
}

/** Finds it by its data directory and the same settings that it was started with; undefined where none runs. */
export function localSystem({ DATA_DIR = '.data', POSTGRES_URL, RABBITMQ_URL }: Record<string, string | undefined>): Local | undefined {
  const dir = resolve(DATA_DIR)
  const secrets = readSecrets(dir)
  // a running server writes its port on the fourth line of its pid file
  const port = POSTGRES_URL ?? lineOf(join(dir, 'postgres', 'data', 'postmaster.pid'), /^(?:.*\n){3}(\d+)$/m)
  if (!secrets || !port) return undefined
  const brokerPort = lineOf(join(dir, 'rabbitmq', 'rabbitmq.conf'), /^listeners\.tcp\.1 = 127\.0\.0\.1:(\d+)$/m)
  return {
    adminUrl: POSTGRES_URL
      ? roleUrl(POSTGRES_URL, 'postgres')
      : `postgres://postgres:${secrets.postgresPassword}@127.0.0.1:${port}/postgres`,
    database: databaseOf(POSTGRES_URL),
    brokerUrl: (schema) => RABBITMQ_URL ?? `amqp://${schema}:${secrets.brokerPasswords[schema]}@127.0.0.1:${brokerPort}`,
    brokerAdminUrl: RABBITMQ_URL ?? `amqp://admin:${secrets.rabbitPassword}@127.0.0.1:${brokerPort}`,
    smtpUrl: lineOf(smtpFile(dir), /^(.+)$/m),
    smtpCa: lineOf(smtpCaFile(dir), /^([\s\S]+)$/),
    secrets
  }
}

/** What was said to who looked for a system and found none. */
export const NOBODY_HOME = 'No system runs here. Start one with `bun start`, or name the one that is meant'

const lineOf = (file: string, pattern: RegExp) => (existsSync(file) ? pattern.exec(readFileSync(file, 'utf8'))?.[1] : undefined)

/** The name of the database, as `bun start` has it: the server's own database is not for us to fill. */
export function databaseOf(postgresUrl: string | undefined): string {
  const named = postgresUrl ? decodeURIComponent(new URL(postgresUrl).pathname.slice(1)) : ''
  return named === '' || named === 'postgres' ? 'healthmed' : named
}
