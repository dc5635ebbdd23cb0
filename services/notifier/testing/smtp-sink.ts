import type { Socket } from 'node:net'
import { type ParsedMail, simpleParser } from 'mailparser'
import { SMTPServer } from 'smtp-server'

/** A client's line: the package keeps it to itself, and has no way to break it. */
type Line = { id: string; _socket: Socket }
const lineOf = (server: SMTPServer, id: string) =>
  [...(server as unknown as { connections: Set<Line> }).connections].find((line) => line.id === id)

/** A mail as the server took it; `raw` is what stood on the wire. */
export type Taken = { to: string; raw: string; parsed: ParsedMail }
/** What the server does with a mail: takes it, answers with a code, never answers, or breaks the line after its end. */
export type Manner = 'take' | number | 'hang' | 'reset'

/** A mail server for tests whose manners can be chosen per recipient. */
export type Sink = {
  url: string
  mails: Taken[]
  to: (address: string) => Taken[]
  manners: Map<string, Manner | Manner[]>
  close: () => Promise<void>
  open: () => Promise<void>
}

/** Starts the server on a free port. A list of manners is used up one by one; after it mails are taken. */
export async function startSink(): Promise<Sink> {
  const mails: Taken[] = []
  const manners: Sink['manners'] = new Map()
  let server: SMTPServer | undefined
  let port = 0

  const mannerTo = (address: string): Manner => {
    const manner = manners.get(address) ?? 'take'
    return Array.isArray(manner) ? (manner.shift() ?? 'take') : manner
  }
  const open = async () => {
    const one = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS'],
      logger: false,
      closeTimeout: 100,
      onData: (stream, session, done) => {
        stream.toArray().then(async (chunks) => {
          const [to = ''] = session.envelope.rcptTo.map(({ address }) => address)
          const manner = mannerTo(to)
          if (manner === 'hang') return
          if (manner === 'reset') return lineOf(one, session.id)?._socket.resetAndDestroy()
          if (typeof manner === 'number') return done(Object.assign(new Error(`<${to}> is not wanted`), { responseCode: manner }))
          const raw = Buffer.concat(chunks as Buffer[])
          mails.push({ to, raw: raw.toString('latin1'), parsed: await simpleParser(raw) })
          done()
        }, done)
      }
    })
    one.on('error', () => {})
    await new Promise<void>((resolve) => one.listen(port, '127.0.0.1', resolve))
    port = (one.server.address() as { port: number }).port
    server = one
  }
  await open()
  return {
    url: `smtp://127.0.0.1:${port}`,
    mails,
    to: (address) => mails.filter((mail) => mail.to === address),
    manners,
    open,
    close: () => new Promise((resolve) => (server ? server.close(() => resolve()) : resolve()))
  }
}
