/**
 * At most `most` items go at once. A batch of fewer than `enough` (a full one, where nothing is said) waits as long as the last one began less than
 * `apartMs` ago: only those wait who come thick and fast, and never for company that they have.
 */
type Size = { most?: number; enough?: number; apartMs?: number }

/**
 * Lets callers share one piece of work: what is asked for while a batch is under way goes with the next. Under no load a batch is one item and waits for
 * nothing; under load many share one statement and one commit. `work` gives a result for each item, in their order.
 */
export function batched<Item, Result>(
  work: (items: Item[]) => Promise<Result[]>,
  { most = 100, enough = most, apartMs = 0 }: Size = {}
): (item: Item) => Promise<Result> {
  type Asked = { item: Item; resolve: (result: Result) => void; reject: (error: unknown) => void }
  const asked: Asked[] = []
  let isUnderWay = false
  let beganAt = Number.NEGATIVE_INFINITY
  let gathered = () => {}

  const settle = async (batch: Asked[]) => {
    try {
      const results = await work(batch.map(({ item }) => item))
      batch.forEach(({ resolve }, index) => {
        resolve(results[index] as Result)
      })
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
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
    const ask = askOf.get(on) ?? batched((items: Item[]) => work(on, items), size)
    askOf.set(on, ask)
    return ask(item)
  }
}
