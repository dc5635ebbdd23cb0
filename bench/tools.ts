import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { canInstall, install } from '../dev/apt.ts'

/** Sees that a program is there; installs Debian's package where that needs no question. Gives its path. */
export async function ensureTool(program: string, pkg: string, place = program): Promise<string> {
  const find = () => Bun.which(program) ?? (existsSync(place) ? place : undefined)
  if (!find() && canInstall()) {
    const dir = mkdtempSync(join(tmpdir(), 'healthmed-bench-apt-'))
    await install(pkg, [pkg], join(dir, 'apt.log'))
    rmSync(dir, { recursive: true })
  }
  const found = find()
  if (!found) throw new Error(`${program} (Debian's package ${pkg}) is needed for this measurement and is not on this machine`)
  return found
}

/** Installs what is compared with us, as its own lockfile says. */
export async function installPeers(): Promise<void> {
  const peers = join(import.meta.dir, 'peers')
  if (existsSync(join(peers, 'node_modules'))) return
  const { exited } = Bun.spawn([process.execPath, 'install', '--frozen-lockfile'], { cwd: peers, stdout: 'ignore', stderr: 'inherit' })
  if ((await exited) !== 0) throw new Error('the peers could not be installed')
}
