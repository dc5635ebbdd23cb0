import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Passwords, roles, schemas } from '#platform/provision'

/** What only this machine's system knows; made at the first start and kept. */
export type Secrets = {
  postgresPassword: string
  rabbitPassword: string
  rolePasswords: Passwords
  brokerPasswords: Record<(typeof schemas)[number], string>
  encryptionKey: string
  indexKey: string
  /** The admin of the first start. The password may have been changed since. */
  adminPassword: string
  adminEmail?: string
}

const hex = (bytes: number) => Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString('hex')
const fileOf = (dataDir: string) => join(dataDir, 'secrets.json')

/** The secrets of a data directory, made where there are none. */
export function secretsOf(dataDir: string): Secrets {
  const kept = readSecrets(dataDir)
  if (kept) return kept
  const secrets: Secrets = {
    postgresPassword: hex(16),
    rabbitPassword: hex(16),
    rolePasswords: Object.fromEntries(roles.map((role) => [role, hex(16)])) as Passwords,
    brokerPasswords: Object.fromEntries(schemas.map((schema) => [schema, hex(16)])) as Secrets['brokerPasswords'],
    encryptionKey: hex(32),
    indexKey: hex(32),
    adminPassword: hex(8)
  }
  saveSecrets(dataDir, secrets)
  return secrets
}

/** Writes the secrets of a data directory, all or none of them. */
export function saveSecrets(dataDir: string, secrets: Secrets): void {
  const path = fileOf(dataDir)
  writeFileSync(`${path}.new`, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

/** The secrets of a data directory, or undefined where none were made. */
export function readSecrets(dataDir: string): Secrets | undefined {
  const path = fileOf(dataDir)
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined
}
