import { expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { getPriority } from 'node:os'
import { join } from 'node:path'

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
