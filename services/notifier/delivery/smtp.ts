import { createTransport, type SendMailOptions } from 'nodemailer'
import MailComposer from 'nodemailer/lib/mail-composer'
import { describeError, log } from '#platform/setup/log'
import { gauge } from '#platform/setup/metrics'
import { smtpOptions, tlsAdvice } from '#platform/setup/smtp'

/** How a server took a mail. `away`: there is no server that could have taken it. */
export type Answer = { kind: 'accepted' | 'refused' | 'failed'; reply: string } | { kind: 'away' }
/** A pool of connections to the mail server. */
export type Smtp = {
  /** Sends a message that bears its envelope. */
  send: (message: SendMailOptions) => Promise<Answer>
  /** Whether a server is there, greets and lets us in. */
  probe: () => Promise<boolean>
  /** Why the server could not be used when it was last needed; undefined where it could, and before the first time. */
  trouble: () => string | undefined
  close: () => void
}

const up = gauge('smtp_up', 'Whether the mail server was there when it was last needed', [])

/** The pool's size, the longest wait, and the authorities that the server's certificate is checked against. */
type Options = { connections: number; limitMs?: number; ca?: string | undefined }

/** Opens the pool; every wait is bounded, the longest by `limitMs`. */
export function openSmtp(url: string, { connections, limitMs = 60_000, ca }: Options): Smtp {
  const transport = createTransport({
    ...smtpOptions(url, ca),
    pool: true,
    maxConnections: connections,
    maxMessages: 500,
    // the pool would send again what a closed connection may have delivered: whether to is decided here
    maxRequeues: 0,
    connectionTimeout: 5_000,
    greetingTimeout: 5_000,
    dnsTimeout: 5_000,
    socketTimeout: Math.min(30_000, limitMs),
    idleTimeout: 30_000
  })
  transport.on('error', () => {})
  // until it was asked nobody knows better
  up.set({}, 1)
  let probing: Promise<boolean> | undefined
  let trouble: string | undefined

  const verify = async () => {
    try {
      await Promise.race([transport.verify(), Bun.sleep(10_000).then(() => Promise.reject(new Error('no answer in 10 s')))])
      up.set({}, 1)
      trouble = undefined
      return true
    } catch (error) {
      up.set({}, 0)
      const advice = tlsAdvice(error)
      trouble = advice ?? withoutAddresses((error as Error).message)
      log.warn({ ...describeSmtp(error), ...(advice && { advice }) }, 'SMTP server cannot be used, retrying in 2 s')
      return false
    }
  }
  const probe = () => {
    probing ??= verify().finally(() => {
      probing = undefined
    })
    return probing
  }
  return {
    send: async (message) => {
      // taken back when the mail has left: a signal with a time of its own lives on until that is over, one for each mail
      const limit = new AbortController()
      const timer = setTimeout(() => limit.abort(new DOMException('the mail server took too long', 'TimeoutError')), limitMs)
      try {
        // made whole before it goes on the wire: piece by piece, as it is made, it would be a dozen writes instead of three
        const raw = await new MailComposer(message).compile().build()
        const { response } = await transport.sendMail({ envelope: message.envelope, raw, signal: limit.signal })
        return { kind: 'accepted', reply: withoutAddresses(response) }
      } catch (error) {
        const { responseCode, code, command, message: text } = error as SmtpError
        const reply = withoutAddresses(text || code || 'unknown')
        // a mail that could not even be composed is no better later; what answers without a code is no mail server, and says nothing about the mail
        if (code === 'EENVELOPE' && command === 'API') return { kind: 'failed', reply }
        const ours =
          code === 'EAUTH' || code === 'ENOAUTH' || code === 'ETLS' || command === 'CONN' || !responseCode || responseCode === 421
        // a broken line says nothing about the mail: is there a server at all?
        if (ours && !(await probe())) return { kind: 'away' }
        return { kind: responseCode && responseCode >= 500 && !ours ? 'failed' : 'refused', reply }
      } finally {
        clearTimeout(timer)
      }
    },
    probe,
    trouble: () => trouble,
    close: () => transport.close({ force: true })
  }
}

type SmtpError = Error & { responseCode?: number; code?: string; command?: string }

const describeSmtp = (error: unknown) => {
  const { error: name, code } = describeError(error)
  return { error: name, code, responseCode: (error as SmtpError).responseCode, reply: withoutAddresses((error as SmtpError).message ?? '') }
}

/** Servers repeat addresses in what they answer; logs and the delivery log keep none. */
const withoutAddresses = (text: string) => text.replace(/[^\s<>:;,()]+@[^\s<>:;,()]+/g, '…').slice(0, 300)
