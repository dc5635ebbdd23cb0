import { expect, test } from 'bun:test'
import { join } from 'node:path'

test('a port that was set aside is given to nobody', () => {
  // in a process of its own: it sets the whole range aside
  const program = `
    const { freePort, setPortsAside } = await import('${join(import.meta.dir, 'ports.ts')}')
    freePort()
    setPortsAside(...Array.from({ length: 17_000 }, (_, nth) => 15_000 + nth))
    freePort()`
  const { exitCode, stderr } = Bun.spawnSync([process.execPath, '-e', program], { stdout: 'pipe', stderr: 'pipe' })
  expect([exitCode, stderr.toString()]).toEqual([1, expect.stringContaining('no free port found')])
})
