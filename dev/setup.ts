import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

// nothing but builtins here: this runs in a fresh clone, before there is a node_modules
const root = join(import.meta.dir, '..')
const marker = join(root, 'node_modules', '.installed-lockfile')

/**
 * Installs the dependencies that bun.lock names, unless they are there already; then this process hands over to one like it and ends with its exit
 * code, since Bun looked around before there was a node_modules and would look elsewhere. Ends the process where the installation fails.
 */
export async function setup(): Promise<void> {
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'bun.lock')))
    .update(readFileSync(join(root, 'package.json')))
    .digest('hex')
  if (existsSync(marker) && readFileSync(marker, 'utf8') === wanted) return
  const since = performance.now()
  process.stderr.write('Installing dependencies …\n')
  const { status, stdout, stderr } = spawnSync(process.execPath, ['install', '--frozen-lockfile'], { cwd: root, encoding: 'utf8' })
  if (status !== 0) {
    process.stderr.write(`${stdout}${stderr}\nThe dependencies could not be installed (bun install --frozen-lockfile, see above).\n`)
    process.exit(1)
  }
  writeFileSync(marker, wanted)
  process.stderr.write(`Installed dependencies in ${((performance.now() - since) / 1000).toFixed(1)} s\n`)
  process.exit(await handOver(process.argv.slice(1)))
}

/** Runs Bun with these arguments and this process's environment, in its place, and gives the exit code; signals are passed on. */
export function handOver(args: string[]): Promise<number> {
  const child = spawn(process.execPath, ['--no-env-file', ...args], { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      // Ctrl-C in a terminal reaches both
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
    })
  }
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)))
}

// `bun run setup`: as the owner of the folder, where the system itself may not write to it
if (import.meta.main) await setup()
