import { chmodSync, lstatSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Makes a directory that only its owner can enter, and closes one that an earlier release left open, with all that is in it. */
export function privateDirectory(dir: string): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  close(dir)
}

function close(path: string): void {
  const found = lstatSync(path)
  if (found.isSymbolicLink()) return
  if ((found.mode & 0o077) !== 0) chmodSync(path, found.mode & 0o700)
  if (found.isDirectory()) for (const name of readdirSync(path)) close(join(path, name))
}

/** The command with a umask that leaves what it writes to its owner alone. */
export const withPrivateFiles = (command: string[]): string[] => ['sh', '-c', 'umask 077; exec "$@"', 'sh', ...command]
