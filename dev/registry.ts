import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { identityOf } from './identity.ts'
import { type Entry, end, isAlive } from './process.ts'

/** What runs for a data directory. Held by one process at a time. */
export type Registry = {
  add: (entry: Entry) => void
  remove: (pid: number) => void
  /** Ends whatever runs, the highest tier first; `say` is told each name when it has ended. */
  endAll: (say?: (name: string) => void) => Promise<void>
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
  let closed = false
  // a process that ends late must not write into a directory that is another's by then, or gone
  const write = () => closed || replace(list, [...entries.values()])
  write()
  return {
    add: (entry) => {
      entries.set(entry.pid, entry)
      write()
    },
    remove: (pid) => {
      entries.delete(pid)
      write()
    },
    endAll: (told) => endAll([...entries.values()], told),
    close: () => {
      closed = true
      rmSync(list, { force: true })
      rmSync(lock, { force: true })
    }
  }
}

function take(lock: string, dir: string): void {
  const own = JSON.stringify({ pid: process.pid, identity: identityOf(process.pid) })
  try {
    writeFileSync(lock, own, { flag: 'wx', mode: 0o600 })
  } catch {
    const holder = read<{ pid: number; identity: string }>(lock)
    if (holder && isAlive(holder)) throw new DirectoryInUse(dir, holder.pid)
    replace(lock, JSON.parse(own))
  }
}

/** The highest tier first; within one, all at once. */
async function endAll(entries: Entry[], say: (name: string) => void = () => {}): Promise<void> {
  const tiers = [...new Set(entries.map(({ tier }) => tier))].sort((a, b) => b - a)
  for (const tier of tiers) {
    const peers = entries.filter((entry) => entry.tier === tier)
    await Promise.all(peers.map((entry) => end(entry).then(() => say(entry.name))))
  }
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
