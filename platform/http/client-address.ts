import { BlockList, isIPv4, isIPv6 } from 'node:net'
import { currentTrace } from '#platform/setup/log'

/** From where a request came and with what. */
export type Client = { address: string; userAgent: string | null }

/** Reads the client of a request. */
export type ClientOf = (request: Request) => Client

/**
 * `X-Forwarded-For` is believed only from the gateways, `trusted` being their addresses or CIDR blocks in a comma list, or `none`; what the last of them
 * says counts. Throws where the list holds something else.
 */
export function clientReader(trusted: string): ClientOf {
  const gateways = new BlockList()
  for (const entry of trusted
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part && part !== 'none'))
    addTo(gateways, entry)
  return (request) => {
    const peer = plain(currentTrace()?.peer ?? 'unknown')
    const told = plain(request.headers.get('x-forwarded-for')?.split(',').at(-1)?.trim() ?? '')
    const believed = isIn(gateways, peer) && (isIPv4(told) || isIPv6(told))
    return { address: believed ? told : peer, userAgent: request.headers.get('user-agent')?.slice(0, 256) ?? null }
  }
}

function addTo(list: BlockList, entry: string) {
  const [address = '', bits] = entry.split('/')
  const family = isIPv6(address) ? 'ipv6' : 'ipv4'
  if (!isIPv4(address) && !isIPv6(address)) throw new Error(`TRUSTED_PROXIES: ${entry} is neither an address nor a CIDR block`)
  if (bits === undefined) list.addAddress(address, family)
  else list.addSubnet(address, Number(bits), family)
}

const isIn = (list: BlockList, address: string) =>
  isIPv4(address) ? list.check(address, 'ipv4') : isIPv6(address) && list.check(address, 'ipv6')

/** An IPv4 address that came over an IPv6 socket is the same client. */
const plain = (address: string) => address.replace(/^::ffff:(?=\d+\.)/i, '')

/** What counts as one client in a limit: an IPv4 address, or the /64 network of an IPv6 address, since a household has one of those. */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address
  const [head = '', tail] = address.split('::')
  const left = head.split(':').filter(Boolean)
  const right = tail?.split(':').filter(Boolean) ?? []
  const groups = tail === undefined ? left : [...left, ...Array(Math.max(0, 8 - left.length - right.length)).fill('0'), ...right]
  // one address has many spellings: 0db8, db8 and DB8 are the same group
  const network = groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16))
  return `${network.join(':')}::/64`
}
