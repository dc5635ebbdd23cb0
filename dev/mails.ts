/** A mail as the mailbox lists it. */
export type CaughtMail = {
  id: string
  subject: string
  to: { address: string }[]
  text?: string
  html?: string
  time: string
  attachments?: { contentType: string; generatedFileName: string }[]
}

/** The mails to one address, oldest first. */
export async function mailsTo(mailbox: string, address: string): Promise<CaughtMail[]> {
  const response = await fetch(`${mailbox}/api/email`)
  if (!response.ok) throw new Error(`the mailbox answered ${response.status}`)
  const mails = (await response.json()) as CaughtMail[]
  return mails.filter(({ to }) => to.some((recipient) => recipient.address === address))
}

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
