import { connect, createServer, type Socket } from 'node:net'

/** A TCP line to a port of this machine that can be cut and healed: how a broker that goes away looks from a service. */
export type Line = {
  port: number
  /** Breaks what is open and refuses what comes. */
  cut: () => void
  /** Lets nothing through any more and tells nobody: a line that is dead at its far end. */
  freeze: () => void
  /** Holds back what the far end says, until `listen`; what is said to it still arrives. */
  deafen: () => void
  listen: () => void
  heal: () => void
  stop: () => void
}

/** Opens a line to `target`. */
export async function startLine(target: number): Promise<Line> {
  const sockets = new Set<Socket>()
  let whole = true
  let frozen = false
  let deaf = false
  const fars = new Set<Socket>()
  const server = createServer((near) => {
    if (!whole) return void near.destroy()
    const far = connect(target, '127.0.0.1')
    fars.add(far)
    far.on('close', () => fars.delete(far))
    if (deaf) far.pause()
    for (const [one, other] of [
      [near, far],
      [far, near]
    ] as const) {
      sockets.add(one)
      one.on('error', () => {})
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
      one.on('data', (bytes) => {
        if (!frozen) other.write(bytes)
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const drop = () => {
    for (const socket of sockets) socket.destroy()
  }
  const listen = () => {
    deaf = false
    for (const far of fars) far.resume()
  }
  return {
    port: (server.address() as { port: number }).port,
    cut: () => {
      whole = false
      drop()
    },
    freeze: () => {
      frozen = true
    },
    deafen: () => {
      deaf = true
      for (const far of fars) far.pause()
    },
    listen,
    heal: () => {
      listen()
      // what was frozen has lost bytes: it cannot go on
      if (frozen) drop()
      frozen = false
      whole = true
    },
    stop: () => {
      drop()
      server.close()
    }
  }
}
