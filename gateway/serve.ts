import type { Listener } from '#platform/http/app'
import { maxRequestBodySize } from '#platform/http/body'
import { describeError, log } from '#platform/setup/log'
import type { Gateway } from './app.ts'
import { endStreams } from './upstream/forward.ts'

/** How long a stop waits for what runs before it cuts it off, in milliseconds. */
const PATIENCE_MS = 8_000

/** Listens for clients, at a port of its own or one that several processes share. `stop` ends event streams, waits for the other answers, at most 8 s. */
export function serve(gateway: Gateway, { port, host, isShared = false }: { port: number; host: string; isShared?: boolean }): Listener {
  const server = Bun.serve({
    port,
    hostname: host,
    reusePort: isShared,
    idleTimeout: 60,
    maxRequestBodySize,
    fetch: gateway,
    error: (error) => {
      log.error(describeError(error), 'a request failed outside of its handler')
      return new Response(null, { status: 500 })
    }
  })
  const stop = async () => {
    endStreams()
    const cutOff = setTimeout(() => server.stop(true), PATIENCE_MS)
    await server.stop()
    clearTimeout(cutOff)
  }
  return { port: server.port ?? port, stop }
}
