import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Passwords, roles, type Schema, schemas } from '#platform/data/provision'

/** What only this machine's system knows; made at the first start and kept. */
export type Secrets = {
  postgresPassword: string
  rabbitPassword: string
  rolePasswords: Passwords
  brokerPasswords: Record<(typeof schemas)[number], string>
  encryptionKey: string
  indexKey: string
  /** The encryption keys of the other services; `encryptionKey` is that of auth. */
  encryptionKeys: Record<'scheduling' | 'notifier', string>
  /** What a service seals its confidential events with; the notifier has both. */
  eventKeys: Record<'auth' | 'scheduling', string>
  /** The admin of the first start. The password may have been changed since. */
  adminPassword: string
  adminEmail?: string
}

const hex = (bytes: number) => Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString('hex')
const fileOf = (dataDir: string) => join(dataDir, 'secrets.json')

/** The secrets of a data directory, made where there are none. */
export function secretsOf(dataDir: string): Secrets {
  const kept: Partial<Secrets> | undefined = readSecrets(dataDir)
  // an earlier release made fewer
  if (kept && isComplete(kept)) return kept
  const secrets: Secrets = {
    postgresPassword: hex(16),
    rabbitPassword: hex(16),
    rolePasswords: Object.fromEntries(roles.map((role) => [role, hex(16)])) as Passwords,
    brokerPasswords: Object.fromEntries(schemas.map((schema) => [schema, hex(16)])) as Secrets['brokerPasswords'],
    encryptionKey: hex(32),
    indexKey: hex(32),
    encryptionKeys: { scheduling: hex(32), notifier: hex(32) },
    eventKeys: { auth: hex(32), scheduling: hex(32) },
    adminPassword: hex(8),
    ...kept
  }
  saveSecrets(dataDir, secrets)
  return secrets
}

const isComplete = (kept: Partial<Secrets>): kept is Secrets => kept.encryptionKeys !== undefined && kept.eventKeys !== undefined

/** Writes the secrets of a data directory, all or none of them. */
export function saveSecrets(dataDir: string, secrets: Secrets): void {
  const path = fileOf(dataDir)
  writeFileSync(`${path}.new`, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

/** The settings of a service that are keys. */
export function keySettings(service: Schema, secrets: Secrets): Record<string, string> {
  if (!isComplete(secrets)) throw new Error('The secrets are of an earlier release: start the system once with this one (`bun start`).')
  const { encryptionKey, indexKey, encryptionKeys, eventKeys } = secrets
  if (service === 'auth') return { ENCRYPTION_KEY: encryptionKey, INDEX_KEY: indexKey, EVENT_KEY: eventKeys.auth }
  if (service === 'scheduling') return { ENCRYPTION_KEY: encryptionKeys.scheduling, INDEX_KEY: indexKey, EVENT_KEY: eventKeys.scheduling }
  return { ENCRYPTION_KEY: encryptionKeys.notifier, AUTH_EVENT_KEY: eventKeys.auth, SCHEDULING_EVENT_KEY: eventKeys.scheduling }
}

/** The secrets of a data directory, or undefined where none were made. */
export function readSecrets(dataDir: string): Secrets | undefined {
  const path = fileOf(dataDir)
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined
}
