import { batched, eachOrAlone } from '#platform/data/batch'
import { isOfOneItem, type Sql } from '#platform/data/db'
import { describeError, log } from '#platform/setup/log'
import { gauge } from '#platform/setup/metrics'
import { composed } from '../mails/queries.ts'
import { backlog, type Claimed, claim, type Ended, giveBack, LEASE_SECONDS, readClaimed, renew, settle } from './queries.ts'
import { type Needs as SendNeeds, send } from './send.ts'

/** What delivery needs. `worker` marks the claims of this process. */
type Needs = Omit<SendNeeds, 'settle'> & { sql: Sql; worker: string }

/** Mails being delivered until it is stopped; `stop` waits for those under way, at most 5 s. */
export type Delivery = { stop: () => Promise<void>; serverThere: () => boolean }

const POLL_MS = 500
const PROBE_MS = 2_000
const STOP_MS = 5_000
/** Mails claimed for each connection, with the one that is on it: a claim costs much the same for one as for many. */
const AHEAD = 6
/** Mails that come close together share a claim. */
const CLAIMS_APART_MS = 100
/** And a commit when they have left: after a crash, those that left since the last may leave once more. */
const SETTLED_APART_MS = 40
/** So often all that is due is looked at, and in between only from where the last mails were found. */
const WHOLE_MS = 1_000
/** Between the first and the second try to write down how mails ended; then twice as long each time, up to the last. */
const SETTLE_AGAIN_MS = 100
const SETTLE_LAST_MS = 3_200
const LONG_AGO = new Date(0)
/** What was known of a mail longer ago than this is read once more before it leaves. */
const STALE_MS = 250
const waiting = gauge('mails_waiting', 'Mails that have not left yet', [])
const oldest = gauge('mails_oldest_seconds', 'How long the oldest mail that is due has waited', [])

/** What a mail server took is written down though the database fails for a moment: not written down, it would be sent again. Throws after some 6 s. */
async function settleSurely({ sql, worker }: Needs, ended: Ended[]): Promise<boolean[]> {
  for (let wait = SETTLE_AGAIN_MS; ; wait *= 2) {
    try {
      return await settle(sql, worker, ended)
    } catch (error) {
      // what is the fault of one mail alone comes back for each by itself
      if (wait > SETTLE_LAST_MS || isOfOneItem(error)) throw error
      log.warn(describeError(error), 'mails could not be settled, trying again')
      await Bun.sleep(wait)
    }
  }
}

/** Reads mails in the order of their ids; undefined for one that is gone. */
async function readMails(sql: Sql, ids: string[]): Promise<(Claimed | undefined)[]> {
  const mails = new Map((await readClaimed(sql, ids)).map((mail) => [mail.id, mail]))
  return ids.map((id) => mails.get(id))
}

/**
 * Delivers mails as they come due, `connections` at once, woken by those that this process adds, and by a clock for what others left. While no mail
 * server is there it asks for one every 2 s and claims nothing.
 */
export function startDelivery(needs: Needs, connections: number): Delivery {
  const { sql, smtp, worker, clock } = needs
  const now = () => new Date(clock().epochMilliseconds)
  const sending = { ...needs, settle: batched((ended: Ended[]) => settleSurely(needs, ended), { apartMs: SETTLED_APART_MS }) }
  const readAgain = batched((ids: string[]) => readMails(sql, ids))
  const underWay = new Map<string, Promise<void>>()
  let ready: { mail: Claimed; readAt: number }[] = []
  let onWire = 0
  let mayBeMore = false
  let [from, lookedAt, filledAt] = [LONG_AGO, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]
  let stopped = false
  let away = false
  // asked once at the start, so that readiness says what is wrong with the mail server before the first mail needs it
  let isAsked = false
  let wake = () => {}
  const deafen = composed.hear(() => wake())

  const held = () => [...underWay.keys(), ...ready.map(({ mail }) => mail.id)]

  /** Nothing more leaves for now: what has not been tried goes back as it was. */
  const giveUp = async (ids: string[]) => {
    const untried = [...ids, ...ready.map(({ mail }) => mail.id)]
    ready = []
    if (untried.length > 0) await giveBack(sql, worker, untried, now())
  }
  const deliver = async ({ mail, readAt }: (typeof ready)[number], offWire: () => void) => {
    try {
      const newest = performance.now() - readAt > STALE_MS ? await readAgain(mail.id) : mail
      if ((await send(newest ?? mail, sending, offWire)) === 'done') return
      away = true
      await giveUp([mail.id])
    } catch (error) {
      // the database stays away: the lease runs out and the mail is claimed again
      log.error({ mail: mail.id, ...describeError(error) }, 'a mail could not be settled')
    }
  }
  /** Puts claimed mails on connections that are free. */
  function pump(): void {
    for (let next = ready[0]; next && onWire < connections && !stopped; next = ready[0]) {
      ready.shift()
      onWire++
      let isOnWire = true
      const offWire = () => {
        if (!isOnWire) return
        isOnWire = false
        onWire--
        pump()
      }
      const { id } = next.mail
      const work = deliver(next, offWire).finally(() => {
        offWire()
        underWay.delete(id)
        // the next of its appointment may leave now
        if (next.mail.appointmentId) wake()
      })
      underWay.set(id, work)
    }
    if (mayBeMore && ready.length < connections) wake()
  }
  /** Claims ahead of the connections, once a fair number can be had at once. */
  async function fill(): Promise<void> {
    if (ready.length >= connections) return
    filledAt = performance.now()
    const room = connections * AHEAD - ready.length - onWire
    mayBeMore = false
    if (filledAt - lookedAt > WHOLE_MS) [from, lookedAt] = [LONG_AGO, filledAt]
    const claimed = await claim(sql, worker, room, now(), from)
    mayBeMore = claimed.length === room
    if (claimed.length === 0) return
    from = new Date(Math.min(...claimed.map(({ wasDueAt }) => wasDueAt.getTime())))
    const readAt = performance.now()
    // a machine that slept, or a clock that was set, ends the leases of mails that are here already
    const ids = claimed.flatMap(({ id }) => (held().includes(id) ? [] : id))
    const mails = await eachOrAlone((some: string[]) => readMails(sql, some), ids)
    // one that cannot be read is claimed again when its lease is over, and holds no other up
    for (const [index, outcome] of mails.entries()) {
      if (outcome.status === 'rejected') log.error({ mail: ids[index], ...describeError(outcome.reason) }, 'a mail could not be read')
      else if (outcome.value) ready.push({ mail: outcome.value, readAt })
    }
    pump()
  }

  const loop = (async () => {
    while (!stopped) {
      const nap = new Promise<void>((resolve) => {
        wake = resolve
      })
      try {
        if (away || !isAsked) away = !(await smtp.probe())
        isAsked = true
        if (!away) await fill()
      } catch (error) {
        log.error(describeError(error), 'mails could not be claimed, trying again')
      }
      if (away) await Bun.sleep(stopped ? 0 : PROBE_MS)
      else if (!mayBeMore || ready.length >= connections) {
        await Promise.race([nap, Bun.sleep(POLL_MS)])
        const rest = filledAt + CLAIMS_APART_MS - performance.now()
        if (!mayBeMore && !stopped && rest > 0) await Bun.sleep(rest)
      }
    }
  })()
  const holding = setInterval(
    () => {
      const held = [...underWay.keys(), ...ready.map(({ mail }) => mail.id)]
      if (held.length > 0) renew(sql, worker, held, now()).catch(() => {})
    },
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
      const untried = loop.then(() => giveUp([])).catch(() => {})
      await Promise.race([Promise.all([untried, ...underWay.values()]), Bun.sleep(STOP_MS)])
      clearInterval(holding)
      clearInterval(measuring)
      smtp.close()
      deafen()
    }
  }
}
