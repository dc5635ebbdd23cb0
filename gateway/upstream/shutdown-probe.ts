import { type Sent, WireError } from './http-client.ts'
import type { Replica } from './upstreams.ts'

const ASK_MS = 3_000
const asked = new WeakMap<Replica, Promise<boolean>>()

/**
 * Asks a replica that was not heard of for a moment whether it stays. A service that stops says so with `Connection: close` on each answer of its last
 * 500 ms, and then closes its connections: a call that crosses the close breaks, and nobody can say whether it was done. What may be done twice is
 * then sent elsewhere; before any other call the replica is asked, which costs no more than a new connection would. Calls that come together ask once.
 * Throws `refused` where there is no answer: nothing was sent that matters, and the call itself is safely sent elsewhere.
 */
export function doesStay(replica: Replica): Promise<boolean> {
  const known = asked.get(replica)
  if (known) return known
  const asking = ask(replica).finally(() => asked.delete(replica))
  asked.set(replica, asking)
  return asking
}

async function ask({ url, wire }: Replica): Promise<boolean> {
  const head = `GET /health/live HTTP/1.1\r\nhost: ${url.slice(7)}\r\n\r\n`
  const sent: Sent = { head, body: undefined, isHead: false, isFresh: false, patienceMs: ASK_MS, hasLeft: () => false }
  try {
    await wire.send(sent).catch((error: WireError) => {
      if (error.kind !== 'broken') throw error
      // a kept connection that the replica had closed says nothing of the replica
      return wire.send({ ...sent, isFresh: true })
    })
  } catch {
    throw new WireError('refused')
  }
  // an answer that was long under way still is one
  return !wire.isLeaving()
}
