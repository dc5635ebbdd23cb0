import { createHmac } from 'node:crypto'
import { type SealedTable, sealedColumn } from '#platform/data/reseal'
import { type Seal as Encryption, sealOfSetting } from '#platform/data/seal'
import { mailTokenContext } from '#platform/events/events'

/** Encrypts single values, and makes blind indexes (HMAC-SHA-256) by which a value is found without being readable. */
export type Seal = Encryption & {
  index: (plain: string, context: string) => string
  /** Seals the token of a mail so that only the notifier can read it. */
  sealToken: (token: string, userId: string) => string
}

/** A seal with the service's encryption keys (or those of a setting), an index key, and the keys that the notifier shares with auth. */
export function sealOf(encryption: Encryption | string, indexKey: string, eventKeys: string): Seal {
  const { seal, open } = typeof encryption === 'string' ? sealOfSetting(encryption) : encryption
  const blind = Buffer.from(indexKey, 'hex')
  const forNotifier = sealOfSetting(eventKeys)
  return {
    seal,
    open,
    index: (plain, context) => createHmac('sha256', blind).update(`${context}\0${plain}`).digest('base64url'),
    sealToken: (token, userId) => forNotifier.seal(token, mailTokenContext(userId))
  }
}

/** What auth keeps sealed, and for which place. */
export const sealedTables: SealedTable[] = [
  {
    table: 'users',
    key: 'id',
    type: 'uuid',
    columns: [
      sealedColumn('cpf_sealed', 'sealed value', (id) => `users.${id}.cpf`),
      sealedColumn('phone_sealed', 'sealed value', (id) => `users.${id}.phone`)
    ]
  },
  { table: 'totp', key: 'user_id', type: 'uuid', columns: [sealedColumn('secret_sealed', 'sealed value', (id) => `users.${id}.totp`)] },
  {
    table: 'signing_keys',
    key: 'kid',
    type: 'text',
    columns: [sealedColumn('private_sealed', 'sealed value', (kid) => `signing_keys.${kid}`)]
  }
]
