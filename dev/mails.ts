/** A mail as a mailbox shows it. */
export type CaughtMail = { id: string; subject: string; text?: string; html?: string }

/** How a kind of mailbox is asked. */
type Api = { mailsTo: (address: string) => Promise<CaughtMail[]>; sourceOf: (id: string) => Promise<string> }

const ask = async (url: string) => {
  const answer = await fetch(url)
  if (!answer.ok) throw new Error(`the mailbox answered ${answer.status}`)
  return answer
}

/** MailDev, the mailbox of `bun start`: one list has everything. */
const maildev = (mailbox: string): Api => ({
  mailsTo: async (address) => {
    const mails = (await (await ask(`${mailbox}/api/email`)).json()) as (CaughtMail & { to: { address: string }[] })[]
    return mails.filter(({ to }) => to.some((recipient) => recipient.address === address))
  },
  sourceOf: async (id) => (await ask(`${mailbox}/api/email/${id}/source`)).text()
})

type Listed = { ID: string; Subject: string }
/** Mailpit, the mailbox of the containers: a search tells which, newest first, and each is read by itself. */
const mailpit = (mailbox: string): Api => ({
  mailsTo: async (address) => {
    const query = new URLSearchParams({ query: `to:"${address}"`, limit: '50' })
    const { messages } = (await (await ask(`${mailbox}/api/v1/search?${query}`)).json()) as { messages: Listed[] }
    const read = async ({ ID, Subject }: Listed) => {
      const { Text, HTML } = (await (await ask(`${mailbox}/api/v1/message/${ID}`)).json()) as { Text: string; HTML: string }
      return { id: ID, subject: Subject, text: Text, html: HTML }
    }
    return Promise.all(messages.toReversed().map(read))
  },
  sourceOf: async (id) => (await ask(`${mailbox}/api/v1/message/${id}/raw`)).text()
})

const known = new Map<string, Promise<Api>>()
const apiOf = (mailbox: string): Promise<Api> => {
  const found = known.get(mailbox) ?? fetch(`${mailbox}/api/email`).then(({ status }) => (status === 404 ? mailpit : maildev)(mailbox))
  found.catch(() => known.delete(mailbox))
  known.set(mailbox, found)
  return found
}

/** The mails to one address, oldest first. */
export const mailsTo = async (mailbox: string, address: string) => (await apiOf(mailbox)).mailsTo(address)

/** A mail as it came. */
export const sourceOf = async (mailbox: string, id: string) => (await apiOf(mailbox)).sourceOf(id)

/** The first mail to an address that `wanted` takes; waits for it. Throws where none comes in time. */
export async function awaitMail(
  mailbox: string,
  address: string,
  wanted: (mail: CaughtMail) => boolean | Promise<boolean>,
  withinMs = 20_000
): Promise<CaughtMail> {
  for (const deadline = Date.now() + withinMs; Date.now() < deadline; await Bun.sleep(100)) {
    for (const mail of await mailsTo(mailbox, address)) if (await wanted(mail)) return mail
  }
  throw new Error(`no such mail to ${address} within ${withinMs / 1000} s`)
}

/** The token that a mail's link bears, or undefined. */
export const tokenIn = ({ text = '' }: CaughtMail) => /[?&#]token=([\w.~-]+)/.exec(text)?.[1]
