import { type ParsedMail, simpleParser } from 'mailparser'
import { SMTPServer } from 'smtp-server'
import { eventually } from '#platform/testing/testing'

/** A mail as it came: parsed, and raw as the wire had it. */
export type Mail = { to: string; subject: string; text: string; html: string; raw: string; parsed: ParsedMail }

/** A real SMTP server that keeps what it is given. */
export type Mailbox = {
  port: number
  mails: Mail[]
  /** The first mail to an address whose subject matches; waits for it. */
  mailTo: (address: string, subject: RegExp, limitMs?: number) => Promise<Mail>
  /** The token of the newest mail to an address that bears one. */
  tokenFor: (address: string) => Promise<string>
  /** What happens before a mail that has come whole is answered with 250; waits for it. */
  beforeTaken: (happens: ((mail: Mail) => Promise<void>) | undefined) => void
  /** Greets so many more clients, then lets clients connect and says nothing to them until it is let go on. */
  holdGreetings: (after?: number) => () => void
  /** Goes away: connections are refused until `open`. */
  close: () => Promise<void>
  open: () => Promise<void>
  stop: () => Promise<void>
}

/** Starts the server on a free port. */
export async function startMailbox(): Promise<Mailbox> {
  const mails: Mail[] = []
  let server: SMTPServer | undefined
  let port = 0
  let beforeTaken: ((mail: Mail) => Promise<void>) | undefined
  let greeting = Promise.resolve()
  let greeted = 0

  const open = async () => {
    server = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS'],
      closeTimeout: 200,
      logger: false,
      onConnect: (_, done) => void (greeted-- > 0 ? done() : greeting.then(() => done())),
      onData: (stream, session, done) => {
        stream.toArray().then(async (chunks) => {
          const raw = Buffer.concat(chunks).toString('latin1')
          const parsed = await simpleParser(Buffer.from(raw, 'latin1'))
          for (const { address } of session.envelope.rcptTo) {
            const mail = { to: address, subject: parsed.subject ?? '', text: parsed.text ?? '', html: parsed.html || '', raw, parsed }
            mails.push(mail)
            await beforeTaken?.(mail)
          }
          done()
        }, done)
      }
    })
    server.on('error', () => {})
    await new Promise<void>((resolve) => server?.listen(port, '127.0.0.1', resolve))
    port = (server.server.address() as { port: number }).port
  }
  const close = () => new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()))
  await open()
  return {
    port,
    mails,
    mailTo: (address, subject, limitMs) =>
      eventually(() => mails.find((mail) => mail.to === address && subject.test(mail.subject)), limitMs),
    tokenFor: async (address) => {
      const find = () => mails.findLast((mail) => mail.to === address && /token=/.test(mail.text))
      return /token=([\w.~-]+)/.exec((await eventually(find)).text)?.[1] ?? ''
    },
    beforeTaken: (happens) => {
      beforeTaken = happens
    },
    holdGreetings: (after = 0) => {
      let goOn = () => {}
      greeted = after
      greeting = new Promise<void>((resolve) => {
        goOn = resolve
      })
      return goOn
    },
    close,
    open,
    stop: close
  }
}
