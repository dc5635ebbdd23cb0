import { SMTPServer } from 'smtp-server'

/** A mail server in a process of its own, that takes everything and keeps nothing but the number. */
export type Sink = { url: string; taken: () => Promise<number>; stop: () => Promise<void> }

/** Starts it on a free port. */
export async function startSink(): Promise<Sink> {
  let tell = (_: number) => {}
  const heard = () =>
    new Promise<number>((resolve) => {
      tell = resolve
    })
  const child: Bun.Subprocess = Bun.spawn([process.execPath, import.meta.path], {
    stdout: 'inherit',
    ipc: (number) => tell(Number(number))
  })
  const port = await heard()
  return {
    url: `smtp://127.0.0.1:${port}`,
    taken: () => {
      const answer = heard()
      child.send('how many?')
      return answer
    },
    stop: async () => {
      child.kill()
      await child.exited
    }
  }
}

if (import.meta.main) {
  let taken = 0
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    logger: false,
    onData: (stream, _, done) => {
      stream.resume()
      stream.once('end', () => {
        taken++
        done()
      })
    }
  })
  server.on('error', () => {})
  server.listen(0, '127.0.0.1', () => process.send?.((server.server.address() as { port: number }).port))
  process.on('message', () => process.send?.(taken))
}
