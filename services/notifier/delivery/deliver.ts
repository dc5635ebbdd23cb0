import { describeError, log } from '#platform/log'
import { gauge } from '#platform/metrics'
import { composed } from '../mails/queries.ts'
import { backlog, claim, giveBack, LEASE_SECONDS, readClaimed, renew } from './queries.ts'
import { type Needs, send } from './send.ts'

/** Mails being delivered until it is stopped; `stop` waits for those under way, at most 5 s. */
export type Delivery = { stop: () => Promise<void>; serverThere: () => boolean }

const POLL_MS = 500
const PROBE_MS = 2_000
const STOP_MS = 5_000
const waiting = gauge('mails_waiting', 'Mails that have not left yet', [])
const oldest = gauge('mails_oldest_seconds', 'How long the oldest mail that is due has waited', [])

/** Delivers mails as they come due, `connections` at once, woken by those that this process adds, and by a clock for what others left. While no mail server is there it asks for one every 2 s and claims nothing. */
export function startDelivery(needs: Needs, connections: number): Delivery {
  const { sql, smtp, worker, clock } = needs
  const now = () => new Date(clock().epochMilliseconds)
  const underWay = new Map<string, Promise<void>>()
  let stopped = false
  let away = false
  let wake = () => {}
  const deafen = composed.hear(() => wake())

  const deliver = async (mail: Parameters<typeof send>[0]) => {
    try {
      if ((await send(mail, needs)) === 'done') return
      away = true
      await giveBack(sql, worker, [mail.id], now())
    } catch (error) {
      // the database is away: the lease runs out and the mail is claimed again
      log.error({ mail: mail.id, ...describeError(error) }, 'a mail could not be settled')
    }
  }

  /** Fills the free places; gives how many mails it found. */
  async function fill(): Promise<number> {
    const free = connections - underWay.size
    const ids = free > 0 ? await claim(sql, worker, free, now()) : []
    if (ids.length === 0) return 0
    for (const mail of await readClaimed(sql, ids)) {
      const work = deliver(mail).finally(() => {
        underWay.delete(mail.id)
        wake()
      })
      underWay.set(mail.id, work)
    }
    return ids.length
  }

  const loop = (async () => {
    while (!stopped) {
      const nap = new Promise<void>((resolve) => {
        wake = resolve
      })
      let found = 0
      try {
        if (away) away = !(await smtp.probe())
        if (!away) found = await fill()
      } catch (error) {
        log.error(describeError(error), 'mails could not be claimed, trying again')
      }
      if (away) await Bun.sleep(stopped ? 0 : PROBE_MS)
      else if (found === 0 || underWay.size >= connections) await Promise.race([nap, Bun.sleep(POLL_MS)])
    }
  })()
  const holding = setInterval(
    () => underWay.size > 0 && renew(sql, worker, [...underWay.keys()], now()).catch(() => {}),
    (LEASE_SECONDS / 3) * 1000
  )
  const measuring = setInterval(() => measure().catch(() => {}), 5_000)
  const measure = async () => {
    const [state] = await backlog(sql, now())
    waiting.set({}, state?.waiting ?? 0)
    oldest.set({}, state?.oldest ?? 0)
  }
  return {
    serverThere: () => !away,
    stop: async () => {
      stopped = true
      wake()
      await Promise.race([Promise.all([loop, ...underWay.values()]), Bun.sleep(STOP_MS)])
      clearInterval(holding)
      clearInterval(measuring)
      smtp.close()
      deafen()
    }
  }
}
