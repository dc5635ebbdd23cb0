import { createHmac } from 'node:crypto'
import { isIP } from 'node:net'
import { type ClientOf, networkOf } from '#platform/http/client-address'

/** The client of a request as it is stored with a claim: the same for the same address, and nobody finds the address without the key. Null: unknown. */
export type ClientTag = (request: Request) => string | null

/** Tags clients with a key of 64 hexadecimal digits. */
export function clientTags(clientOf: ClientOf, key: string): ClientTag {
  const secret = Buffer.from(key, 'hex')
  return (request) => {
    const { address } = clientOf(request)
    if (isIP(address) === 0) return null
    return createHmac('sha256', secret)
      .update(`claim client\0${networkOf(address)}`)
      .digest('base64url')
      .slice(0, 22)
  }
}
