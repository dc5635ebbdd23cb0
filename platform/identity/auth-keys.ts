import { createLocalJWKSet, type FlattenedJWSInput, type JSONWebKeySet, type JWSHeaderParameters } from 'jose'
import { log } from '../setup/log.ts'
import { type EndedSessions, endedSessions } from './ended-sessions.ts'

/** What the other processes know of auth: its public keys and the sessions that ended. It goes on with what it knows when auth is away. */
export type Trust = Pick<EndedSessions, 'isEnded' | 'endWith'> & {
  /** The key of a token's `kid`; an unknown one asks auth again, at most once in 30 s. Throws where there is none. */
  keyFor: (header: JWSHeaderParameters, token: FlattenedJWSInput) => Promise<CryptoKey>
  /** Whether the keys are known, so that tokens can be checked. */
  ready: () => boolean
  stop: () => void
}

const UNKNOWN_KEY_COOLDOWN_MS = 30_000
const KEYS_EVERY_MS = 60_000
const ENDED_EVERY_MS = 1_000
const ASK_MS = 900
/** Access tokens run 10 min; an ended session is remembered a little longer. */
const REMEMBERED_MS = 11 * 60_000
/** Sessions that ended in a transaction that committed late are asked for again. */
const OVERLAP_MS = 15_000

type Ended = { items: { sid: string; endedAt: string }[]; now: string }

/** Follows the key set and the ended sessions of the auth service at `authUrl` (one of a comma list is taken in turn). */
export async function trustAuth(authUrl: string): Promise<Trust> {
  const addresses = authUrl.split(',').map((address) => address.trim())
  let turn = 0
  let keys: ReturnType<typeof createLocalJWKSet> | undefined
  let askedForUnknown = 0
  let since = new Date(Date.now() - REMEMBERED_MS).toISOString()
  const sessions = endedSessions()

  const getFrom = async <T>(address: string | undefined, path: string): Promise<T> => {
    const response = await fetch(`${address}${path}`, { signal: AbortSignal.timeout(ASK_MS) })
    if (!response.ok) throw new Error(`auth answered ${response.status} to ${path.split('?')[0]}`)
    return (await response.json()) as T
  }
  /** Asks the next address, and where it does not answer the others at once: an ended session is not to wait for a replica that is gone. */
  const get = async <T>(path: string): Promise<T> => {
    for (let others = addresses.length - 1; ; others--) {
      try {
        return await getFrom<T>(addresses[turn++ % addresses.length], path)
      } catch (error) {
        if (others === 0) throw error
      }
    }
  }
  const fetchKeys = async () => {
    keys = createLocalJWKSet(await get<JSONWebKeySet>('/.well-known/jwks.json'))
  }
  const fetchEnded = async () => {
    const { items, now } = await get<Ended>(`/internal/ended-sessions?since=${encodeURIComponent(since)}`)
    for (const { sid, endedAt } of items) sessions.add(sid, Date.parse(endedAt) + REMEMBERED_MS)
    since = new Date(Date.parse(now) - OVERLAP_MS).toISOString()
    sessions.forget(Date.now())
  }
  const keepKeys = repeat(fetchKeys, () => (keys ? KEYS_EVERY_MS : 500), 'key set')
  const keepEnded = repeat(fetchEnded, () => ENDED_EVERY_MS, 'ended sessions')

  return {
    keyFor: async (header, token) => {
      try {
        if (keys) return await keys(header, token)
      } catch {
        // unknown here: perhaps a key that was made since
      }
      if (Date.now() - askedForUnknown > UNKNOWN_KEY_COOLDOWN_MS) {
        askedForUnknown = Date.now()
        await fetchKeys()
      }
      if (!keys) throw new Error('the key set is not known yet')
      return keys(header, token)
    },
    isEnded: sessions.isEnded,
    endWith: sessions.endWith,
    ready: () => keys !== undefined,
    stop: () => {
      keepKeys()
      keepEnded()
    }
  }
}

/** Runs `work` again and again, `pause` milliseconds after each end; says once when it starts to fail. Gives the function that stops it. */
function repeat(work: () => Promise<void>, pause: () => number, what: string): () => void {
  let stopped = false
  let failing = false
  const loop = async () => {
    while (!stopped) {
      try {
        await work()
        failing = false
      } catch (error) {
        if (!failing)
          log.warn(
            { what, reason: error instanceof Error ? error.message : 'unknown' },
            'auth cannot be asked, going on with what is known'
          )
        failing = true
      }
      await Bun.sleep(pause())
    }
  }
  loop()
  return () => {
    stopped = true
  }
}
