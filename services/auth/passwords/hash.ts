import { availableParallelism } from 'node:os'
import { hash, verify } from '@node-rs/argon2'
import { Problem } from '#platform/http/problem'
import { gauge, histogram } from '#platform/setup/metrics'

/** Argon2id, OWASP's choice: memory in KiB and passes; one lane. */
export type Parameters = { memoryKib: number; passes: number }

/** The one door to password hashing: a queue not much wider than the cores, so that a storm of log-ins costs nobody else their turn. */
export type Passwords = {
  /** Hashes a new password. Throws `overloaded` when the wait would be too long. */
  hash: (password: string) => Promise<string>
  /**
   * Checks a password. Without a stored hash it checks against one that nothing matches, so that an unknown person takes as long as a known one.
   * `stale`: right, but hashed with other parameters. Throws `overloaded`.
   */
  verify: (stored: string | undefined, password: string) => Promise<{ right: boolean; stale: boolean }>
}

/** Nobody waits longer than about this for a turn, in milliseconds. */
const MAX_WAIT_MS = 2_000
const waiting = gauge('password_queue_depth', 'Password checks that wait for a turn', [])
const seconds = histogram('password_seconds', 'Time of one password hash, without the wait', [])

/** One more than can run at once: who has ended one need not wait to be told of the next. */
const WIDTH = availableParallelism() + 1
/**
 * So many go on together while others wait for their turn: what follows a hash, here, in PostgreSQL and in the gateway, costs less in such company, whose
 * sessions share a commit, than where each wakes every process by itself, on caches that hashing has emptied (figures in bench/notes/logins.md). The
 * cores have enough to hash meanwhile.
 */
const COMPANY = 8

/** Hashing with these parameters, `width` at once. */
export async function passwordsOf({ memoryKib, passes }: Parameters, width = WIDTH): Promise<Passwords> {
  // Argon2id is the library's standard
  const options = { memoryCost: memoryKib, timeCost: passes, parallelism: 1 }
  const current = `$m=${memoryKib},t=${passes},p=1$`
  const inTurn = queueOf(width)
  // as many as there are threads, so that all of them are there from now on
  const [dummy = ''] = await Promise.all(Array.from({ length: width }, () => hash(crypto.randomUUID(), options)))
  return {
    hash: (password) => inTurn(() => hash(normal(password), options)),
    verify: async (stored, password) => {
      const right = await inTurn(() => verify(stored ?? dummy, normal(password)))
      return { right: right && stored !== undefined, stale: stored !== undefined && !stored.includes(current) }
    }
  }
}

/** NIST SP 800-63B-4, 3.1.1.2: the same password typed on another keyboard must be the same bytes. */
const normal = (password: string) => password.normalize('NFKC')

function queueOf(width: number) {
  const line: (() => void)[] = []
  const ended: (() => void)[] = []
  let running = 0
  let usual = 40
  return async <T>(work: () => Promise<T>): Promise<T> => {
    const wait = ((line.length + 1) * usual) / width
    if (running >= width) {
      if (wait > MAX_WAIT_MS) throw new Problem('overloaded', undefined, { retryAfter: wait / 1000 })
      await new Promise<void>((resolve) => {
        line.push(resolve)
        waiting.set({}, line.length)
      })
    } else running++
    const since = performance.now()
    try {
      return await work()
    } finally {
      const took = performance.now() - since
      usual = usual * 0.9 + took * 0.1
      seconds.observe({}, took / 1000)
      // the turn goes straight to the next in line
      const next = line.shift()
      waiting.set({}, line.length)
      if (next) next()
      else running--
      await new Promise<void>((resolve) => {
        ended.push(resolve)
        if (ended.length >= COMPANY || line.length < width) for (const goOn of ended.splice(0)) goOn()
      })
    }
  }
}
