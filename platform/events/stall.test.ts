import { expect, test } from 'bun:test'
import { stallWatch } from './stall.ts'

test('a head that stays for the whole limit is a stall, one that changes or goes is none', () => {
  let now = 0
  const watch = stallWatch(60_000, () => now)
  expect(watch.isStalled()).toBe(false)
  watch.observe('1')
  now = 59_999
  watch.observe('1')
  expect(watch.isStalled()).toBe(false)
  now = 60_000
  expect(watch.isStalled()).toBe(true)
  watch.observe('2')
  expect(watch.isStalled()).toBe(false)
  for (; now < 600_000; now += 5_000) {
    watch.observe(String(now))
    expect(watch.isStalled()).toBe(false)
  }
  now += 59_000
  watch.observe(undefined)
  now += 3_600_000
  expect(watch.isStalled()).toBe(false)
})

test('what has never been seen to move stalls from the start', () => {
  let now = 0
  const watch = stallWatch(60_000, () => now, 'a queue')
  now = 60_000
  expect(watch.isStalled()).toBe(true)
  watch.observe(undefined)
  expect(watch.isStalled()).toBe(false)
})
