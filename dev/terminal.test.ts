import { expect, test } from 'bun:test'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

test('whoever read the output may be gone, and the program still ends in its own order', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'healthmed-terminal-'))
  const ended = join(dir, 'ended')
  const script = `
    import { writeFileSync } from 'node:fs'
    import { say } from '${join(import.meta.dir, 'terminal.ts')}'
    for (let nth = 0; nth < 5; nth++) { say('a line'); await Bun.sleep(20) }
    process.on('SIGTERM', () => { say('Stopping'); writeFileSync('${ended}', ''); process.exit(0) })
    process.kill(process.pid, 'SIGTERM')
    setInterval(() => {}, 1000)`
  await Bun.spawn(['sh', '-c', '"$0" -e "$1" | true', process.execPath, script], { stderr: 'inherit' }).exited
  expect(existsSync(ended)).toBe(true)
  rmSync(dir, { recursive: true })
})
