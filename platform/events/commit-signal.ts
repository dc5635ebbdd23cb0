import { afterCommit, type Db } from '../data/db.ts'

/**
 * Wakes who waits in this process for rows that a transaction adds: a relay for events, a sender for mails. The database's NOTIFY would do so in every
 * process, but takes one lock for the whole server until the commit is on disk, so that no two commits share a write any more: bookings a second fell
 * to a fraction. Other processes find what nobody took by asking from time to time.
 */
export type Bell = {
  /** Rings when the transaction is committed. */
  ring: (db: Db) => void
  /** Calls at every ring; gives the function that ends it. */
  hear: (listener: () => void) => () => void
}

/** A bell of this process. */
export function bell(): Bell {
  const listeners = new Set<() => void>()
  return {
    ring: (db) =>
      afterCommit(db, () => {
        for (const listener of listeners) listener()
      }),
    hear: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    }
  }
}
