import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'

/**
 * Encrypts single values (AES-256-GCM, NIST SP 800-38D) and makes blind indexes (HMAC-SHA-256) of them. A sealed value is
 * `keyId.nonce.tag.ciphertext` in base64url; `context` is bound to it, so that a value moved to another place does not open.
 */
export type Seal = {
  seal: (plain: string, context: string) => string
  /** Throws where the value was changed, or sealed with another key or context. */
  open: (sealed: string, context: string) => string
  index: (plain: string, context: string) => string
}

/** A seal with two keys of 64 hexadecimal digits each. */
export function sealOf(encryptionKey: string, indexKey: string): Seal {
  const key = Buffer.from(encryptionKey, 'hex')
  const keyId = createHmac('sha256', key).update('key id').digest('base64url').slice(0, 8)
  const blind = Buffer.from(indexKey, 'hex')
  return {
    seal: (plain, context) => {
      const nonce = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context))
      const text = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()])
      return [keyId, ...[nonce, cipher.getAuthTag(), text].map((part) => part.toString('base64url'))].join('.')
    },
    open: (sealed, context) => {
      const [id, nonce = '', tag = '', text = ''] = sealed.split('.')
      if (id !== keyId) throw new Error(`a value was sealed with the key ${id}, the key at hand is ${keyId}`)
      const [iv, mark, body] = [nonce, tag, text].map((part) => Buffer.from(part, 'base64url')) as [Buffer, Buffer, Buffer]
      const cipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: 16 }).setAAD(Buffer.from(context)).setAuthTag(mark)
      return Buffer.concat([cipher.update(body), cipher.final()]).toString('utf8')
    },
    index: (plain, context) => createHmac('sha256', blind).update(`${context}\0${plain}`).digest('base64url')
  }
}
