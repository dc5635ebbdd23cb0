import { expect, test } from 'bun:test'
import { endedSessions } from './ended-sessions.ts'

const soon = () => new Promise((resolve) => setImmediate(resolve))

test('what runs for a session ends once with it, and what was taken back or is of another session goes on', async () => {
  const sessions = endedSessions()
  const calls: string[] = []
  sessions.endWith('a', () => calls.push('a1'))
  const takeBack = sessions.endWith('a', () => calls.push('a2'))
  sessions.endWith('a', () => calls.push('a3'))
  sessions.endWith('b', () => calls.push('b'))
  takeBack()
  sessions.add('a', 1_000)
  sessions.add('a', 1_000)
  expect(calls).toEqual(['a1', 'a3'])
  expect([sessions.isEnded('a'), sessions.isEnded('b')]).toEqual([true, false])
})

test('what begins after its session has ended is ended as well', async () => {
  const sessions = endedSessions()
  sessions.add('a', 1_000)
  const calls: string[] = []
  sessions.endWith('a', () => calls.push('late'))
  await soon()
  expect(calls).toEqual(['late'])
})

test('an end that takes back itself or others breaks nothing, and old sessions are forgotten', async () => {
  const sessions = endedSessions()
  const calls: string[] = []
  const first = sessions.endWith('a', () => {
    first()
    second()
    calls.push('first')
  })
  const second = sessions.endWith('a', () => calls.push('second'))
  sessions.add('a', 1_000)
  expect(calls[0]).toBe('first')
  sessions.forget(999)
  expect(sessions.isEnded('a')).toBe(true)
  sessions.forget(1_001)
  expect(sessions.isEnded('a')).toBe(false)
  sessions.endWith('a', () => calls.push('again'))
  await soon()
  expect(calls).not.toContain('again')
})
