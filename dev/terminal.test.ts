import { expect, test } from 'bun:test'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

test('whoever read the output may be gone, and the program still ends in its own order', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'healthmed-terminal-'))
  const [gone, ended] = [join(dir, 'gone'), join(dir, 'ended')]
  const script = `
    import { existsSync, writeFileSync } from 'node:fs'
    import { say } from '${join(import.meta.dir, 'terminal.ts')}'
    say('a line')
    while (!existsSync('${gone}')) await Bun.sleep(5)
    process.on('SIGTERM', async () => { say('Stopping'); await Bun.sleep(20); writeFileSync('${ended}', ''); process.exit(0) })
    process.kill(process.pid, 'SIGTERM')
    setInterval(() => {}, 1000)`
  const shell = '"$0" -e "$1" | { read -r line; exec <&-; : > "$2"; }'
  await Bun.spawn(['sh', '-c', shell, process.execPath, script, gone], { stderr: 'inherit' }).exited
  expect(existsSync(ended)).toBe(true)
  rmSync(dir, { recursive: true })
})
