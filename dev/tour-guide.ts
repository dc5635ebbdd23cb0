import { type Answer, type CallOptions, clientOf, Refused } from './client.ts'
import { awaitMail, type CaughtMail, sourceOf, tokenIn } from './mails.ts'
import { bold, cyan, dim, green, red, say } from './terminal.ts'

/** What sort of mail is awaited: one with a token in its link, one without, or one whose calendar part has this method. */
type Sort = 'token' | 'message' | 'REQUEST' | 'CANCEL'

/** Makes calls and fetches mails, showing each on one line. Throws where one is not as it should be. */
export type Guide = {
  gateway: string
  mailbox: string
  calls: number
  mails: number
  title: (words: string) => void
  send: <Body = Record<string, unknown>>(
    method: string,
    path: string,
    status: number,
    options?: CallOptions,
    show?: string[],
    code?: string
  ) => Promise<Body>
  /** The next mail of a sort to an address that was not shown yet. */
  mail: (address: string, sort: Sort) => Promise<{ token: string | undefined }>
}

/** A guide through the system at these two addresses. */
export function guideOf(gateway: string, mailbox: string): Guide {
  const { call } = clientOf(gateway)
  const seen = new Set<string>()
  const guide: Guide = {
    gateway,
    mailbox,
    calls: 0,
    mails: 0,
    title: (words) => say(`\n${bold(words)}`),
    send: async <Body>(method: string, path: string, status: number, options: CallOptions = {}, show: string[] = [], code?: string) => {
      const answer = await call<Body & { code?: string; detail?: string }>(method, path, options)
      const right = answer.status === status && (code === undefined || answer.body.code === code)
      say(lineOf(method, path, answer, right, show))
      if (!right) {
        const wanted = `${status} ${code ?? ''}`.trim()
        throw new Refused(answer.status, answer.body?.code, `${method} ${path} should answer ${wanted} and`, answer.body?.detail)
      }
      guide.calls++
      return answer.body
    },
    mail: async (address, sort) => {
      const since = performance.now()
      const methods = new Map<string, string | undefined>()
      const mail = await awaitMail(mailbox, address, async (candidate) => {
        if (seen.has(candidate.id)) return false
        if (!methods.has(candidate.id)) methods.set(candidate.id, await calendarMethod(mailbox, candidate))
        if (sort === 'token' || sort === 'message') return (tokenIn(candidate) !== undefined) === (sort === 'token')
        return methods.get(candidate.id) === sort
      })
      seen.add(mail.id)
      guide.mails++
      const parts = [mail.text && 'text', mail.html && 'HTML', methods.get(mail.id) && `calendar ${methods.get(mail.id)}`].filter(Boolean)
      const waited = `${Math.round(performance.now() - since)} ms`
      say(
        `  ${cyan('mail')}   ${address.padEnd(46)} ${' '.repeat(4)} ${waited.padStart(8)}   ${mail.subject} ${dim(`(${parts.join(', ')})`)}`
      )
      return { token: tokenIn(mail) }
    }
  }
  return guide
}

/** `REQUEST` or `CANCEL` where the mail has a calendar part, read from its header as a mail program would. */
async function calendarMethod(mailbox: string, { id }: CaughtMail): Promise<string | undefined> {
  const source = await sourceOf(mailbox, id)
  return /content-type:\s*text\/calendar;[^\n]*(?:\n[ \t][^\n]*)*?method="?(\w+)/i.exec(source)?.[1]
}

function lineOf(method: string, path: string, { status, body, ms }: Answer<unknown>, right: boolean, show: string[]): string {
  const short = path.replace(/[0-9a-f-]{32}([0-9a-f]{4})/g, '…$1')
  const outcome = (right ? green : red)(String(status))
  const fields = show.map((name) => `${dim(name)} ${brief((body as Record<string, unknown>)?.[name])}`)
  return `  ${method.padEnd(6)} ${short.padEnd(46)} ${outcome}  ${`${Math.round(ms)} ms`.padStart(8)}   ${fields.join('  ')}`
}

function brief(value: unknown): string {
  if (Array.isArray(value)) return `${value.length}`
  if (value && typeof value === 'object') return Object.values(value).join(' ')
  return String(value)
}
