import { expect, test } from 'bun:test'
import type { Gauge } from 'prom-client'
import SQL from 'sql-template-strings'
import { one, run } from '#platform/data/db'
import type { Problem } from '#platform/http/problem'
import { registry } from '#platform/setup/metrics'
import { rigOf } from '../testing/testing.ts'
import { passwordsOf } from './hash.ts'

const cheap = { memoryKib: 256, passes: 1 }

test('beyond what can be hashed in two seconds an attempt is turned away at once, and the others have their turn', async () => {
  const passwords = await passwordsOf(cheap, 1)
  const outcomes = await Promise.allSettled(Array.from({ length: 120 }, () => passwords.hash('uma frase')))
  const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as Problem] : []))
  // a hash is thought to take 40 ms until it was measured: 50 may wait, and one runs
  expect(outcomes.length - refused.length).toBe(51)
  for (const problem of refused) expect([problem.code, problem.status, problem.headers['retry-after']]).toEqual(['overloaded', 503, '3'])
  expect(await passwords.verify(await passwords.hash('uma frase'), 'uma frase')).toEqual({ right: true, stale: false })
})

test.each([
  [12, [3, 3, 3, 3, 3, 3, 3, 3, 0, 0, 0, 0]],
  [9, [0, 0, 0, 0, 0, 0, 0, 0, 0]],
  [3, [0, 0, 0]],
  [1, [0]]
])('of %d at once, eight go on together while others wait for their turn', async (count, waiting) => {
  const passwords = await passwordsOf(cheap, 1)
  const depth = registry.getSingleMetric('healthmed_password_queue_depth') as Gauge
  const waitingNow = async () => (await depth.get()).values[0]?.value
  const seen = Array.from({ length: count }, () => passwords.verify(undefined, 'x').then(waitingNow))
  expect(await Promise.all(seen)).toEqual(waiting)
})

test('a password is the same in every Unicode form, whole to its last character, and never right for nobody', async () => {
  const passwords = await passwordsOf(cheap)
  const stored = await passwords.hash('ação com 12 ½ letras')
  expect((await passwords.verify(stored, 'ac\u0327a\u0303o com 12 ½ letras')).right).toBe(true)
  const long = 'x'.repeat(127)
  expect((await passwords.verify(await passwords.hash(`${long}a`), `${long}b`)).right).toBe(false)
  expect((await passwords.verify(undefined, 'ação')).right).toBe(false)
})

test('a hash with other parameters is right but stale, and log-in brings it up to date', async () => {
  const rig = await rigOf()
  try {
    const person = await rig.person()
    const older = await (await passwordsOf({ memoryKib: 64, passes: 1 })).hash(person.password)
    await run(rig.sql, SQL`update users set password_hash = ${older} where id = ${person.id}`)
    await rig.login(person.email)
    const { hash } = await one<{ hash: string }>(rig.sql, SQL`select password_hash as hash from users where id = ${person.id}`)
    expect(hash).toContain('$argon2id$v=19$m=256,t=1,p=1$')
    expect((await rig.login(person.email)).user.id).toBe(person.id)
  } finally {
    await rig.stop()
  }
})
