import { expect, test } from 'bun:test'
import { batched, batchedOn } from './batch.ts'

/** Work that is held until it is let go, and tells what it was given. */
function held() {
  const given: number[][] = []
  const gates: (() => void)[] = []
  const work = async (items: number[]) => {
    given.push(items)
    await new Promise<void>((resolve) => gates.push(resolve))
    return items.map((item) => item * 10)
  }
  return { work, given, go: () => gates.shift()?.() }
}
const turn = () => new Promise((resolve) => setImmediate(resolve))

test('what comes while a batch is under way goes with the next, each with its own result', async () => {
  const { work, given, go } = held()
  const ask = batched(work, { most: 3 })
  const first = ask(1)
  await turn()
  const others = [2, 3, 4, 5].map(ask)
  await turn()
  expect(given).toEqual([[1]])
  go()
  expect(await first).toBe(10)
  await turn()
  expect(given).toEqual([[1], [2, 3, 4]])
  go()
  await turn()
  go()
  expect(await Promise.all(others)).toEqual([20, 30, 40, 50])
  expect(given).toEqual([[1], [2, 3, 4], [5]])
})

test('those who ask in one turn share a batch', async () => {
  const { work, given, go } = held()
  const ask = batched(work)
  const all = Promise.all([1, 2, 3].map(ask))
  await turn()
  go()
  expect(await all).toEqual([10, 20, 30])
  expect(given).toEqual([[1, 2, 3]])
})

test('a batch that fails fails for those in it alone', async () => {
  const ask = batched(async (items: number[]) => {
    if (items.includes(1)) throw new Error('no')
    return items
  })
  const bad = ask(1).catch((error: Error) => error.message)
  await turn()
  expect([await bad, await ask(2)]).toEqual(['no', 2])
})

test('a batch that gathers goes as soon as it is full', async () => {
  const given: number[][] = []
  const ask = batched(
    async (items: number[]) => {
      given.push(items)
      return items
    },
    { most: 2, apartMs: 3_600_000 }
  )
  await ask(1)
  const second = ask(2)
  await turn()
  await Promise.all([second, ask(3)])
  await Promise.all([ask(4), ask(5)])
  expect(given).toEqual([[1], [2, 3], [4, 5]])
})

test('a batch that gathers goes as soon as it is enough, with all who are there', async () => {
  const { work, given, go } = held()
  const ask = batched(work, { most: 4, enough: 2, apartMs: 3_600_000 })
  const all = [ask(1)]
  await turn()
  all.push(...[2, 3, 4].map(ask))
  go()
  await turn()
  expect(given).toEqual([[1], [2, 3, 4]])
  go()
  await turn()
  all.push(ask(5))
  await turn()
  expect(given).toHaveLength(2)
  all.push(ask(6))
  await turn()
  go()
  expect(await Promise.all(all)).toEqual([10, 20, 30, 40, 50, 60])
  expect(given).toEqual([[1], [2, 3, 4], [5, 6]])
})

test('one that comes alone does not wait; those that follow closely are gathered', async () => {
  const given: number[][] = []
  const ask = batched(
    async (items: number[]) => {
      given.push(items)
      return items
    },
    { apartMs: 300 }
  )
  await ask(1)
  const second = ask(2)
  await turn()
  await Promise.all([second, ask(3)])
  expect(given).toEqual([[1], [2, 3]])
})

test('each transaction has batches of its own', async () => {
  const given: [string, number[]][] = []
  const ask = batchedOn(async ({ name }: { name: string }, items: number[]) => {
    given.push([name, items])
    return items
  })
  const [a, b] = [{ name: 'a' }, { name: 'b' }]
  await Promise.all([ask(a, 1), ask(b, 2), ask(a, 3)])
  expect(given).toEqual([
    ['a', [1, 3]],
    ['b', [2]]
  ])
})

test('an item that makes its batch fail fails alone, and costs few tries more', async () => {
  let tries = 0
  const ask = batched(async (items: number[]) => {
    tries++
    if (items.includes(13)) throw new Error('not this one')
    return items.map((item) => item * 10)
  })
  const outcomes = await Promise.allSettled(Array.from({ length: 100 }, (_, item) => ask(item)))
  for (const [item, outcome] of outcomes.entries())
    expect([item, outcome]).toEqual([
      item,
      item === 13 ? { status: 'rejected', reason: new Error('not this one') } : { status: 'fulfilled', value: item * 10 }
    ])
  expect(tries).toBeLessThanOrEqual(15)
})

test.each(['CONNECTION_CLOSED', 'ECONNREFUSED', 'CONNECT_TIMEOUT'])(
  'what is away (%s) is asked once for all, and not for each',
  async (code) => {
    let tries = 0
    const ask = batched(async () => {
      tries++
      throw Object.assign(new Error('away'), { code })
    })
    const outcomes = await Promise.allSettled([1, 2, 3, 4].map(ask))
    expect([tries, outcomes.map(({ status }) => status)]).toEqual([1, ['rejected', 'rejected', 'rejected', 'rejected']])
  }
)

test('in a transaction, which does nothing more after its first failure, each is told the reason', async () => {
  let tries = 0
  const ask = batchedOn(async (_: { name: string }, items: number[]) => {
    tries++
    throw new Error(`no ${items}`)
  })
  const tx = { name: 'tx' }
  const outcomes = await Promise.allSettled([ask(tx, 1), ask(tx, 2)])
  expect([tries, outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.message)]).toEqual([1, ['no 1,2', 'no 1,2']])
})
