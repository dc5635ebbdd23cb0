import { isOfOneItem } from './db.ts'

/**
 * Does work on items together. Where that fails and one of them may be the cause, each half is done by itself, until those that fail fail alone; a
 * batch of 100 with one bad item takes 14 tries more. Gives an outcome for each item, in their order. `work` must leave nothing behind where it fails.
 */
export async function eachOrAlone<Item, Result>(
  work: (items: Item[]) => Promise<Result[]>,
  items: Item[],
  mayBeOne: (error: unknown) => boolean = isOfOneItem
): Promise<PromiseSettledResult<Result>[]> {
  try {
    return (await work(items)).map((value) => ({ status: 'fulfilled', value }))
  } catch (reason) {
    if (items.length < 2 || !mayBeOne(reason)) return items.map(() => ({ status: 'rejected', reason }))
    const middle = items.length >> 1
    const halves = [items.slice(0, middle), items.slice(middle)]
    return (await Promise.all(halves.map((half) => eachOrAlone(work, half, mayBeOne)))).flat()
  }
}

/**
 * At most `most` items go at once. A batch of fewer than `enough` (a full one, where nothing is said) waits as long as the last one began less than
 * `apartMs` ago: only those wait who come thick and fast, and never for company that they have.
 * `mayBeOne` says of an error whether one item may be its cause.
 */
type Size = { most?: number; enough?: number; apartMs?: number; mayBeOne?: (error: unknown) => boolean }

/**
 * Lets callers share one piece of work: what is asked for while a batch is under way goes with the next. Under no load a batch is one item and waits for
 * nothing; under load many share one statement and one commit. `work` gives a result for each item, in their order. An item that makes its batch fail
 * fails alone, see `eachOrAlone`.
 */
export function batched<Item, Result>(
  work: (items: Item[]) => Promise<Result[]>,
  { most = 100, enough = most, apartMs = 0, mayBeOne = isOfOneItem }: Size = {}
): (item: Item) => Promise<Result> {
  type Asked = { item: Item; resolve: (result: Result) => void; reject: (error: unknown) => void }
  const asked: Asked[] = []
  let isUnderWay = false
  let beganAt = Number.NEGATIVE_INFINITY
  let gathered = () => {}

  const settle = async (batch: Asked[]) => {
    const outcomes = await eachOrAlone(
      work,
      batch.map(({ item }) => item),
      mayBeOne
    )
    batch.forEach(({ resolve, reject }, index) => {
      const outcome = outcomes[index]
      if (outcome?.status === 'rejected') reject(outcome.reason)
      else resolve(outcome?.value as Result)
    })
  }
  const run = async () => {
    isUnderWay = true
    while (asked.length > 0) {
      const wait = asked.length < enough ? beganAt + apartMs - performance.now() : 0
      const company = new Promise<void>((resolve) => {
        gathered = resolve
      })
      // whoever asks in this same turn comes along in any case
      await (wait > 0 ? Promise.race([company, Bun.sleep(wait)]) : undefined)
      beganAt = performance.now()
      await settle(asked.splice(0, most))
    }
    isUnderWay = false
  }
  return (item) =>
    new Promise((resolve, reject) => {
      asked.push({ item, resolve, reject })
      if (!isUnderWay) void run()
      else if (asked.length >= enough) gathered()
    })
}

/**
 * The same for work that is done on something: a pool, or a transaction, of which each has batches of its own. So handlers that run side by side in one
 * transaction, each for its own event, share their statements without knowing of each other.
 */
export function batchedOn<On extends object, Item, Result>(
  work: (on: On, items: Item[]) => Promise<Result[]>,
  size?: Size
): (on: On, item: Item) => Promise<Result> {
  const askOf = new WeakMap<On, (item: Item) => Promise<Result>>()
  return (on, item) => {
    // after its first failure a transaction does nothing more: who began it runs it again with fewer items
    const alone = 'begin' in on ? {} : { mayBeOne: () => false }
    const ask = askOf.get(on) ?? batched((items: Item[]) => work(on, items), { ...size, ...alone })
    askOf.set(on, ask)
    return ask(item)
  }
}
