/*
 * What Bun can do at best: passes bytes on and looks at none, a line to the upstream for each client. No proxy on Bun that reads what it forwards can be
 * faster. Reads PORT and UPSTREAM.
 */
import type { Socket } from 'bun'

type Other = { other?: Socket<Other> }
const { hostname, port } = new URL(process.env.UPSTREAM ?? '')
const through = {
  data: (socket: Socket<Other>, data: Buffer) => void socket.data.other?.write(data),
  close: (socket: Socket<Other>) => void socket.data.other?.end()
}

Bun.listen<Other>({
  hostname: '127.0.0.1',
  port: Number(process.env.PORT),
  socket: {
    ...through,
    open: async (client) => {
      client.data = {}
      client.pause()
      client.data.other = await Bun.connect<Other>({ hostname, port: Number(port), data: { other: client }, socket: through })
      client.resume()
    }
  }
})
