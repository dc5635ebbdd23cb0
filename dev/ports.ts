import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createServer } from 'node:net'

/** Whether nobody listens on a port of this machine. */
export function isFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    // no IPv6 here, or no right to a low port, is not the same as somebody else's
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'EADDRINUSE'))
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/** Who listens on a port, as `pid 123 (command)`; undefined where it cannot be told. */
export function holderOf(port: number): string | undefined {
  return process.platform === 'linux' ? holderFromProc(port) : holderFromLsof(port)
}

function holderFromLsof(port: number): string | undefined {
  const { stdout, success } = Bun.spawnSync(['lsof', '-nP', '-Fpc', `-iTCP:${port}`, '-sTCP:LISTEN'], { stderr: 'ignore' })
  const [, pid, command] = success ? (/p(\d+)\nc(.+)/.exec(stdout.toString()) ?? []) : []
  return pid && `pid ${pid} (${command})`
}

function holderFromProc(port: number): string | undefined {
  const sockets = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) => listenersIn(path, port))
  if (sockets.length === 0) return undefined
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (!descriptorsOf(pid).some((target) => sockets.includes(target))) continue
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
    return `pid ${pid} (${command.length > 100 ? `${command.slice(0, 100)}…` : command})`
  }
  return 'a process of another user'
}

function listenersIn(path: string, port: number): string[] {
  const LISTEN = '0A'
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  try {
    const lines = readFileSync(path, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
    return lines.filter(([, local, , state]) => state === LISTEN && local?.endsWith(`:${hex}`)).map((fields) => `socket:[${fields[9]}]`)
  } catch {
    return []
  }
}

function descriptorsOf(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`)
      } catch {
        return ''
      }
    })
  } catch {
    return []
  }
}
