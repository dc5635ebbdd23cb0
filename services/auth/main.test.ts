import { expect, test } from 'bun:test'
import { join } from 'node:path'

const main = join(import.meta.dir, 'main.ts')
const isRoot = process.getuid?.() === 0
// in its container nothing may raise its priority, whoever it is
const unprivileged = isRoot ? ['setpriv', '--bounding-set=-sys_nice', '--inh-caps=-sys_nice'] : []

test.if(Bun.which('nice') !== null && (!isRoot || Bun.which('setpriv') !== null))(
  'where it was started behind others it comes as far as its settings, and does not want to come forward',
  () => {
    const { exitCode, stderr } = Bun.spawnSync([...unprivileged, 'nice', '-n', '10', process.execPath, main], {
      env: { PATH: process.env.PATH }
    })
    expect([exitCode, stderr.toString()]).toEqual([78, expect.stringContaining('DATABASE_URL is missing')])
  }
)
