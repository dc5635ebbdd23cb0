import { afterAll, expect, test } from 'bun:test'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { examineBrokerData } from './rabbitmq-moved.ts'

const top = realpathSync(mkdtempSync(join(tmpdir(), 'healthmed-moved-')))
afterAll(() => rmSync(top, { recursive: true }))

let made = 0
/** A directory of the broker, with a queue that names `path`. */
function brokerAt(path: (dir: string) => string | undefined = (dir) => dir): string {
  const dir = join(top, `broker-${++made}`)
  const queue = join(dir, 'data/healthmed@localhost/quorum/healthmed@localhost/2F_X')
  mkdirSync(queue, { recursive: true })
  const named = path(dir)
  if (named) writeFileSync(join(queue, 'config'), `#{data_dir =>\n   "${named}/data/healthmed@localhost/quorum/healthmed@localhost"}.`)
  return dir
}

test('a first start has no events to lose, and after it the data belongs to its place', () => {
  const dir = join(top, 'first')
  mkdirSync(dir)
  const first = examineBrokerData(dir, 'm1')
  expect(first).toMatchObject({ events: 'lost' })
  expect(first.why).toBeUndefined()
  mkdirSync(join(dir, 'data'))
  first.settle()
  expect(examineBrokerData(dir, 'm1')).toMatchObject({ events: 'there' })
})

test('a copy at another path starts empty, says where it comes from, and keeps the old data once', () => {
  const dir = brokerAt()
  examineBrokerData(dir, 'm1').settle()
  const copy = join(top, 'copy')
  cpSync(dir, copy, { recursive: true })
  for (let start = 1; start <= 2; start++) {
    const found = examineBrokerData(copy, 'm1')
    expect([found.events, found.why]).toEqual(['lost', expect.stringContaining(dir)])
    expect(readdirSync(copy).sort()).toEqual(['data.set-aside', 'home.json'])
    // the start broke off before the events were in line again: the next one begins anew
    mkdirSync(join(copy, 'data'))
  }
  examineBrokerData(copy, 'm1').settle()
  mkdirSync(join(copy, 'data'))
  expect(examineBrokerData(copy, 'm1').events).toBe('there')
  // the original was not touched
  expect(examineBrokerData(dir, 'm1').events).toBe('there')
})

test('data of a release that did not note its place is judged by what its queues name', () => {
  const inPlace = brokerAt()
  expect(examineBrokerData(inPlace, 'm1').events).toBe('there')
  const moved = brokerAt(() => '/srv/elsewhere/.data/rabbitmq')
  expect(examineBrokerData(moved, 'm1')).toMatchObject({ events: 'lost', why: expect.stringContaining('/srv/elsewhere/.data/rabbitmq') })
  expect(existsSync(join(moved, 'data'))).toBe(false)
  const withoutQueues = brokerAt(() => undefined)
  expect(examineBrokerData(withoutQueues, 'm1').events).toBe('there')
})

test('another machine starts empty, the same directory by another name does not', () => {
  const dir = brokerAt()
  examineBrokerData(dir, 'm1').settle()
  const link = join(top, 'link')
  symlinkSync(dir, link)
  expect(examineBrokerData(link, 'm1').events).toBe('there')
  expect(examineBrokerData(dir, 'm2')).toMatchObject({ events: 'lost', why: expect.stringContaining('machine') })
})

test('a note that was cut short counts as none', () => {
  const dir = brokerAt()
  writeFileSync(join(dir, 'home.json'), '{"path": "/sr')
  expect(examineBrokerData(dir, 'm1').events).toBe('there')
})
