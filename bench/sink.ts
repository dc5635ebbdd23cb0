import { connect } from 'node:net'
import { freePort } from '#platform/setup/ports'
import { unpackTool } from './tools.ts'

/** A mail server in a process of its own, that takes everything and keeps nothing but the number. */
export type Sink = { url: string; taken: () => Promise<number>; stop: () => Promise<void> }

/**
 * Starts Postfix's smtp-sink on a free port: a mail costs it a quarter of a millisecond of the cores that are measured, and a server in JavaScript three
 * times as much.
 */
export async function startSink(): Promise<Sink> {
  const { path, libraries } = await unpackTool('usr/sbin/smtp-sink', 'postfix', 'usr/lib/postfix')
  const port = freePort()
  // as root it asks for a user to become
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const child = Bun.spawn([path, '-c', ...user, `127.0.0.1:${port}`, '256'], {
    env: { LD_LIBRARY_PATH: libraries },
    stdout: 'pipe',
    stderr: 'inherit'
  })
  let said = ''
  void (async () => {
    for await (const piece of child.stdout) said = said.slice(-200) + Buffer.from(piece).toString('latin1')
  })()
  await untilListening(port)
  return {
    url: `smtp://127.0.0.1:${port}`,
    // it tells its counters with every mail, and what it told last may still be on its way
    taken: async () => {
      await Bun.sleep(100)
      return Number([...said.matchAll(/mesg=(\d+)\r/g)].at(-1)?.[1] ?? 0)
    },
    stop: async () => {
      child.kill()
      await child.exited
    }
  }
}

async function untilListening(port: number): Promise<void> {
  for (const until = Date.now() + 5_000; ; await Bun.sleep(20)) {
    const isThere = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true))
      socket.once('error', () => resolve(false)).once('connect', () => socket.destroy())
    })
    if (isThere) return
    if (Date.now() > until) throw new Error('smtp-sink does not listen')
  }
}
