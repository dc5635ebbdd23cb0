import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'

/**
 * Encrypts single values (AES-256-GCM, NIST SP 800-38D). A sealed value is `keyId.nonce.tag.ciphertext` in base64url: the id says which key opens it, so
 * that several keys can be in use. `context` is bound to the value, so that a value moved to another place does not open.
 */
export type Seal = {
  seal: (plain: string, context: string) => string
  /** Throws where the value was changed, or sealed with an unknown key or for another context. */
  open: (sealed: string, context: string) => string
}

/** A key and its id, which is derived from it. */
export type Key = { id: string; bytes: Buffer }

/** A key of 64 hexadecimal digits. */
export function keyOf(hex: string): Key {
  const bytes = Buffer.from(hex, 'hex')
  return { id: createHmac('sha256', bytes).update('key id').digest('base64url').slice(0, 8), bytes }
}

/** The keys of a setting: a comma list, of which the first seals and all open. */
export const keysOf = (setting: string): Key[] => setting.split(',').map((hex) => keyOf(hex.trim()))

/** Whether a value was sealed with some key that is not among these; then its message is worth waiting for. */
export class UnknownKey extends Error {}

/** Seals with one key and opens with any that `find` knows. Both are asked each time, so keys may change while the process runs. */
export const sealWith = (current: () => Key, find: (id: string) => Key | undefined): Seal => ({
  seal: (plain, context) => {
    const { id, bytes } = current()
    const nonce = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', bytes, nonce).setAAD(Buffer.from(context))
    const text = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()])
    return [id, ...[nonce, cipher.getAuthTag(), text].map((part) => part.toString('base64url'))].join('.')
  },
  open: (sealed, context) => {
    const [id = '', nonce = '', tag = '', text = ''] = sealed.split('.')
    const key = find(id)
    if (!key) throw new UnknownKey(`a value was sealed with the key ${id.slice(0, 8)}, which is not known here`)
    const [iv, mark, body] = [nonce, tag, text].map((part) => Buffer.from(part, 'base64url')) as [Buffer, Buffer, Buffer]
    const cipher = createDecipheriv('aes-256-gcm', key.bytes, iv, { authTagLength: 16 }).setAAD(Buffer.from(context)).setAuthTag(mark)
    return Buffer.concat([cipher.update(body), cipher.final()]).toString('utf8')
  }
})

/** A seal with the keys of a setting. */
export function sealOfSetting(setting: string): Seal {
  const keys = keysOf(setting)
  return sealWith(
    () => keys[0] as Key,
    (id) => keys.find((key) => key.id === id)
  )
}

/** The id of the key that sealed a value. */
export const keyIdOf = (sealed: string): string => sealed.split('.', 1)[0] ?? ''
