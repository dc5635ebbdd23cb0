import { BlockList, isIP } from 'node:net'

/** Says the address of the client from the address at the other end of the socket and `X-Forwarded-For`. */
export type ClientOf = (peer: string | undefined, forwarded: string | null) => string

/**
 * Believes `X-Forwarded-For` only as far as trusted hops wrote it: from the right, the first address that is no trusted one.
 * `trusted` is a comma list of addresses and CIDR ranges, or `none`. Throws where one is neither.
 */
export function clientsBehind(trusted: string): ClientOf {
  const ranges = trusted === 'none' ? [] : trusted.split(',').map((range) => range.trim())
  if (ranges.length === 0) return (peer) => plain(peer ?? '')
  const hops = new BlockList()
  for (const range of ranges) {
    const [address = '', prefix] = range.split('/')
    const family = familyOf(address)
    if (!family) throw new Error(`TRUSTED_PROXIES names ${range}, which is neither an address nor a range`)
    if (prefix === undefined) hops.addAddress(address, family)
    else hops.addSubnet(address, Number(prefix), family)
  }
  const isTrusted = (address: string): boolean => {
    const family = familyOf(address)
    return family !== undefined && hops.check(address, family)
  }
  return (peer, forwarded) => {
    let client = plain(peer ?? '')
    for (const told of (forwarded ?? '').split(',').reverse()) {
      const address = plain(told.trim())
      if (!isTrusted(client) || isIP(address) === 0) return client
      client = address
    }
    return client
  }
}

const familyOf = (address: string) => ({ 4: 'ipv4', 6: 'ipv6' })[isIP(address)] as 'ipv4' | 'ipv6' | undefined
const plain = (address: string) => (address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address)
