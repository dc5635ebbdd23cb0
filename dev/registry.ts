import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { identityOf } from './identity.ts'
import { type Running, send } from './process.ts'

/** A process as it is written down, so that a later start finds it if this one is killed. */
type Entry = { name: string; pid: number; identity: string; stopSignal: NodeJS.Signals }

/** What runs for a data directory. Held by one process at a time. */
export type Registry = {
  add: (running: Running) => void
  remove: (pid: number) => void
  /** Gives the directory free. */
  close: () => void
}

/** Somebody else holds the directory. */
export class DirectoryInUse extends Error {
  constructor(
    readonly dir: string,
    readonly pid: number
  ) {
    super(`${dir} is in use by pid ${pid}, which is running: stop that one first, or set DATA_DIR to another directory.`)
  }
}

/**
 * Takes a data directory. What a killed holder left running is ended first; `say` is told its names.
 * Throws `DirectoryInUse` where the holder lives.
 */
export async function openRegistry(dir: string, say: (names: string[]) => void = () => {}): Promise<Registry> {
  mkdirSync(dir, { recursive: true, mode: 0o755 })
  const lock = join(dir, 'lock.json')
  const list = join(dir, 'processes.json')
  take(lock, dir)
  const orphans = read<Entry[]>(list)?.filter(isAlive) ?? []
  if (orphans.length > 0) {
    say(orphans.map(({ name, pid }) => `${name} (pid ${pid})`))
    await endAll(orphans)
  }
  const entries = new Map<number, Entry>()
  const write = () => replace(list, [...entries.values()])
  write()
  return {
    add: ({ name, pid, identity, stopSignal }) => {
      entries.set(pid, { name, pid, identity, stopSignal })
      write()
    },
    remove: (pid) => {
      entries.delete(pid)
      write()
    },
    close: () => {
      rmSync(list, { force: true })
      rmSync(lock, { force: true })
    }
  }
}

function take(lock: string, dir: string): void {
  const own = JSON.stringify({ pid: process.pid, identity: identityOf(process.pid) })
  try {
    writeFileSync(lock, own, { flag: 'wx' })
  } catch {
    const holder = read<{ pid: number; identity: string }>(lock)
    if (holder && isAlive(holder)) throw new DirectoryInUse(dir, holder.pid)
    replace(lock, JSON.parse(own))
  }
}

const isAlive = ({ pid, identity }: { pid: number; identity: string }) => identityOf(pid) === identity

/** Last started, first ended; each asked, and made to after ten seconds. */
async function endAll(orphans: Entry[]): Promise<void> {
  for (const orphan of orphans.toReversed()) send(orphan.pid, orphan.stopSignal)
  for (const deadline = Date.now() + 10_000; Date.now() < deadline && orphans.some(isAlive); ) await Bun.sleep(50)
  for (const orphan of orphans) send(-orphan.pid, 'SIGKILL')
  for (const deadline = Date.now() + 2_000; Date.now() < deadline && orphans.some(isAlive); ) await Bun.sleep(20)
}

function read<T>(path: string): T | undefined {
  try {
    return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined
  } catch {
    // cut short by a kill: whoever wrote it is gone
    return undefined
  }
}

function replace(path: string, value: unknown): void {
  writeFileSync(`${path}.new`, JSON.stringify(value, null, 2), { mode: 0o600 })
  renameSync(`${path}.new`, path)
}
