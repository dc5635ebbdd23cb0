import { connect, createServer, type Socket } from 'node:net'

/** A TCP line to a port of this machine that can be cut and healed: how a broker that goes away looks from a service. */
export type Line = { port: number; cut: () => void; heal: () => void; stop: () => void }

/** Opens a line to `target`. */
export async function startLine(target: number): Promise<Line> {
  const sockets = new Set<Socket>()
  let whole = true
  const server = createServer((near) => {
    if (!whole) return void near.destroy()
    const far = connect(target, '127.0.0.1')
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
      one.pipe(other)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const drop = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    port: (server.address() as { port: number }).port,
    cut: () => {
      whole = false
      drop()
    },
    heal: () => {
      whole = true
    },
    stop: () => {
      drop()
      server.close()
    }
  }
}
