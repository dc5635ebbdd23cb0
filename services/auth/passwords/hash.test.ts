import { expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { getPriority } from 'node:os'
import { join } from 'node:path'
import SQL from 'sql-template-strings'
import { one, run } from '#platform/db'
import type { Problem } from '#platform/problem'
import { rigOf } from '../testing.ts'
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

const isRoot = process.getuid?.() === 0
// in its container nothing may raise its priority, whoever it is
const unprivileged = isRoot ? ['setpriv', '--bounding-set=-sys_nice', '--inh-caps=-sys_nice'] : []
const GROUP = '/proc/self/autogroup'
/** Hashes in a process of its own that has given way; says how nice its main thread is, those of the pool are, and its session. */
const nicenessOf = `
  import { existsSync, readdirSync, readFileSync } from 'node:fs'
  import { getPriority } from 'node:os'
  import { giveWay } from '${join(import.meta.dir, 'give-way.ts')}'
  import { passwordsOf } from '${join(import.meta.dir, 'hash.ts')}'
  const passwords = await passwordsOf({ memoryKib: 256, passes: 1 })
  giveWay()
  await Promise.all(Array.from({ length: 20 }, () => passwords.hash('uma frase')))
  const ids = readdirSync('/proc/self/task').filter((id) => readFileSync('/proc/self/task/' + id + '/comm', 'utf8').startsWith('Bun Pool'))
  console.log(JSON.stringify({ main: getPriority(), pool: [...new Set(ids.map((id) => getPriority(Number(id))))],
    session: existsSync('${GROUP}') ? readFileSync('${GROUP}', 'utf8').split(' ').at(-1).trim() : null }))`

test
  .if(
    process.platform === 'linux' && Bun.which('nice') !== null && Bun.which('setsid') !== null && (!isRoot || Bun.which('setpriv') !== null)
  )
  .each([0, 15])('what hashes gives way, what answers does not; started %d behind the others', (behind) => {
  const main = Math.min(19, getPriority() + behind)
  const expected = { main, pool: [Math.max(10, main)], session: existsSync(GROUP) ? '5' : null }
  const command = ['setsid', '--wait', ...unprivileged, 'nice', '-n', `${behind}`, process.execPath, '-e', nicenessOf]
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, { cwd: join(import.meta.dir, '../../..') })
  expect([exitCode, stdout.toString() || stderr.toString()]).toEqual([0, `${JSON.stringify(expected)}\n`])
})
