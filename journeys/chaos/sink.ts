import { SMTPServer } from 'smtp-server'
import { type Line, startLine } from '#platform/testing/tcp-proxy'

/** What is kept of a mail: for whom, about which appointment, and its id. */
export type Taken = { to: string; messageId: string; appointmentId: string | undefined }

/** A real SMTP server that keeps little of each mail, behind a line that can be cut. */
export type Sink = {
  url: string
  mails: Taken[]
  /** Mails that came whole, and whose 250 the line did not bring back. */
  unanswered: Set<string>
  line: Line
  /** Connections are taken and nothing is said. */
  stall: (on: boolean) => void
  /** From now on the line breaks between the end of a mail and its 250. */
  breakAfterData: (on: boolean) => void
  stop: () => Promise<void>
}

/** Starts it on free ports. */
export async function startSink(): Promise<Sink> {
  const mails: Taken[] = []
  const unanswered = new Set<string>()
  let breaking = false
  let greet = Promise.resolve()
  let goOn = () => {}
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    logger: false,
    closeTimeout: 200,
    onConnect: (_, done) => void greet.then(() => done()),
    onData: (stream, session, done) => {
      stream.toArray().then((chunks) => {
        const head = Buffer.concat(chunks).toString('latin1').split('\r\n\r\n', 1)[0] ?? ''
        const field = (name: string) => new RegExp(`^${name}:\\s*<([^>]+)>`, 'im').exec(head)?.[1]
        const messageId = field('Message-ID') ?? ''
        const appointmentId = field('References')?.split('@')[0]
        for (const { address } of session.envelope.rcptTo) mails.push({ to: address, messageId, appointmentId })
        if (breaking) {
          unanswered.add(messageId)
          line.cut()
          line.heal()
        }
        done()
      }, done)
    }
  })
  server.on('error', () => {})
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const line = await startLine((server.server.address() as { port: number }).port)
  return {
    url: `smtp://127.0.0.1:${line.port}`,
    mails,
    unanswered,
    line,
    stall: (on) => {
      goOn()
      greet = on
        ? new Promise<void>((resolve) => {
            goOn = resolve
          })
        : Promise.resolve()
    },
    breakAfterData: (on) => {
      breaking = on
    },
    stop: async () => {
      line.stop()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    }
  }
}
