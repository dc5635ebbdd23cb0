import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { canInstall, install, unpack } from '../dev/apt.ts'

const unpacked = join(resolve(process.env.DATA_DIR ?? join(import.meta.dir, '../.data')), 'bench')

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

/**
 * A program out of one of Debian's packages that nobody wants to have installed for a measurement, such as one of a mail server. It is kept for the next
 * time, in `bench` of DATA_DIR. Gives its path, and that of the libraries that come with it.
 */
export async function unpackTool(program: string, pkg: string, libraries: string): Promise<{ path: string; libraries: string }> {
  const dir = join(unpacked, pkg)
  const found = { path: join(dir, program), libraries: join(dir, libraries) }
  if (existsSync(found.path)) return found
  if (!Bun.which('dpkg'))
    throw new Error(`${program}, of Debian's package ${pkg}, is needed for this measurement and cannot be had on this machine`)
  await unpack(pkg, dir)
  return found
}

/** Installs what is compared with us, as its own lockfile says. */
export async function installPeers(): Promise<void> {
  const peers = join(import.meta.dir, 'peers')
  if (existsSync(join(peers, 'node_modules'))) return
  console.log('Installing what is compared with us (bench/peers/package.json) …')
  const { exited } = Bun.spawn([process.execPath, 'install', '--frozen-lockfile'], { cwd: peers, stdout: 'ignore', stderr: 'inherit' })
  if ((await exited) !== 0) throw new Error('the peers could not be installed')
}
