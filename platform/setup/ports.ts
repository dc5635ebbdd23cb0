import { closeSync, mkdirSync, openSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

// below the range from which a system takes the ports of outgoing connections, so none is lost between picking and using
const LOWEST = 15_000
const HIGHEST = 32_000
const reserved = join(tmpdir(), 'healthmed-ports')
/** By then whoever picked a port listens on it, or will never. */
const RESERVED_MS = 60_000
const picked = new Set<number>()

/** These are given to nobody: a setting names them, and who it is for listens there later. */
export const setPortsAside = (...ports: number[]): void => ports.forEach((port) => void picked.add(port))

/** A free port, each time another one; no other process of this product on this machine is given it within a minute. */
export function freePort(): number {
  for (let tries = 0; tries < 500; tries++) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST))
    if (picked.has(port) || !reserve(port) || !isListenable(port)) continue
    picked.add(port)
    return port
  }
  throw new Error(`no free port found between ${LOWEST} and ${HIGHEST}`)
}

function isListenable(port: number): boolean {
  try {
    Bun.listen({ hostname: '127.0.0.1', port, exclusive: true, socket: { data() {} } }).stop(true)
    return true
  } catch {
    return false
  }
}

/** A file that only one process can make; one that was left is old. */
function reserve(port: number): boolean {
  const file = join(reserved, String(port))
  try {
    mkdirSync(reserved, { recursive: true, mode: 0o1777 })
    if ((statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY) < Date.now() - RESERVED_MS) rmSync(file)
    closeSync(openSync(file, 'wx'))
    return true
  } catch (error) {
    // where no file can be made the ports are picked as well
    return (error as NodeJS.ErrnoException).code !== 'EEXIST'
  }
}
