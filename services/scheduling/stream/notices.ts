import { afterCommit, type Db, type Sql } from '#platform/data/db'
import { describeError, log } from '#platform/setup/log'

/** The channel on which every replica hears whose appointments have changed: ids of people, with a space between. */
export const CHANNEL = 'scheduling_changes'
/** A payload holds less than 8,000 bytes. */
const AT_ONCE = 200

const waiting = new WeakMap<Sql, Set<string>>()

/**
 * Tells the live streams of all replicas, after the commit, that appointments of these people have changed. What gathers while a notice is under way
 * goes with the next one: NOTIFY inside each transaction would make commits wait for each other. One that is lost is made up for by the heartbeat.
 */
export function notice(db: Db, { doctorId, patientId }: { doctorId: string; patientId: string }): void {
  afterCommit(db, (sql) => {
    const people = waiting.get(sql)
    const own = people ?? new Set()
    own.add(doctorId).add(patientId)
    if (people) return
    waiting.set(sql, own)
    send(sql, own).catch((error) => log.warn(describeError(error), 'live streams were not told of a change'))
  })
}

async function send(sql: Sql, people: Set<string>): Promise<void> {
  try {
    while (people.size > 0) {
      const ids = [...people].slice(0, AT_ONCE)
      for (const id of ids) people.delete(id)
      // nothing is lost with it, so that it need not wait for the disk while it holds the lock of all notices
      await sql.unsafe(`set local synchronous_commit = off; select pg_notify('${CHANNEL}', '${ids.join(' ')}')`).simple()
    }
  } finally {
    waiting.delete(sql)
  }
}
