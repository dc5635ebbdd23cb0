import { expect, test } from 'bun:test'
import { roomFor } from './capacity.ts'
import { lagWatch } from './overload.ts'

/** A loop that looks at the clock when it is told to. */
function loop(mostMs: number) {
  let now = 0
  let look = () => {}
  const every = ((work: () => void) => {
    look = work
    return {}
  }) as unknown as typeof setInterval
  const watch = lagWatch(mostMs, () => now, every)
  return {
    watch,
    turn: (ms: number) => {
      now += ms
      look()
    }
  }
}

test('a loop that is late three times in a row is late, until it is on time again', () => {
  const { watch, turn } = loop(500)
  for (const [ms, isLate] of [
    [50, false],
    [700, false],
    [700, false],
    [700, true],
    [560, true],
    [540, false]
  ] as const) {
    turn(ms)
    expect([ms, watch.isLate()]).toEqual([ms, isLate])
  }
})

test('one long pause refuses nobody', () => {
  const { watch, turn } = loop(500)
  for (const ms of [50, 10_000, 50, 60]) turn(ms)
  expect(watch.isLate()).toBe(false)
})

test('while the process is late there is no room, and then there is again', () => {
  let late = true
  const room = roomFor({ calls: 5, streams: 5, streamsOfOne: 5 }, () => late)
  expect(() => room.take('calls')).toThrow('Too much work')
  late = false
  room.take('calls')()
  expect(room.taken('calls')).toBe(0)
})
