import { describeError, log, traced } from '#platform/setup/log'
import { counter, histogram } from '#platform/setup/metrics'
import { openSpan } from '#platform/setup/spans'
import { compose, type Sender } from '../mails/compose.ts'
import { openData, type Secrets } from '../secrets.ts'
import type { Claimed, Ended, Outcome } from './queries.ts'
import { nextTry } from './retry-schedule.ts'
import type { Smtp } from './smtp.ts'
import { type Standing, whySuperseded } from './still-true.ts'

/** What sending needs. `settle` writes down how an attempt ended, and says whether the mail was still this process's own. */
export type Needs = {
  smtp: Smtp
  sender: Sender
  secrets: Secrets
  clock: () => Temporal.Instant
  settle: (ended: Ended) => Promise<boolean>
}

const mails = counter('mails_total', 'Attempts at mails, by template and how they ended', ['template', 'outcome'])
const latency = histogram(
  'mail_latency_seconds',
  'From the event to the mail server taking the mail',
  [],
  [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600]
)
const taken = counter('mail_lease_conflicts_total', 'Mails that another process had taken over when they were to be marked', [])

/**
 * Sends one claimed mail and writes down how that ended; `offWire` is called in between, when its connection is free. Gives `away` where there was no
 * server: the claim is then the caller's to give back.
 */
export async function send(mail: Claimed, needs: Needs, offWire: () => void): Promise<'done' | 'away'> {
  const span = openSpan('client', `send ${mail.template}`, mail.traceparent)
  return traced({ requestId: mail.requestId, traceparent: span.traceparent }, async () => {
    const outcome = await attempt(mail, needs).finally(offWire)
    span.end(
      outcome === 'away' ? { failed: true } : { attributes: { 'healthmed.outcome': outcome.result }, failed: outcome.result !== 'sent' }
    )
    if (outcome === 'away') return 'away'
    const now = instant(needs.clock())
    if (!(await needs.settle({ id: mail.id, outcome, now }))) taken.inc()
    mails.inc({ template: mail.template, outcome: outcome.result })
    const about = { mail: mail.id, event: mail.eventId, template: mail.template, attempt: mail.attempts, outcome: outcome.result }
    if (outcome.result === 'sent') {
      latency.observe({}, Math.max(0, +now - +mail.eventAt) / 1000)
      log.info(about, 'mail sent')
    } else log.warn({ ...about, reply: outcome.reply }, 'mail not sent')
    return 'done'
  })
}

async function attempt(mail: Claimed, { smtp, sender, secrets, clock }: Needs): Promise<Outcome | 'away'> {
  const { recipient } = mail
  const why = whySuperseded(standingOf(mail), instant(clock()))
  if (why || !recipient) return { result: 'superseded', reply: why ?? 'the recipient is not known' }
  let message: ReturnType<typeof compose>
  try {
    message = compose({ ...mail, recipient, data: openData(secrets, mail) }, sender)
  } catch (error) {
    log.error(describeError(error), 'a mail could not be composed')
    return { result: 'failed', reply: error instanceof Error ? error.message : 'it could not be composed' }
  }
  const answer = await smtp.send(message)
  if (answer.kind === 'away') return 'away'
  if (answer.kind === 'accepted') return { result: 'sent', reply: answer.reply }
  const again = answer.kind === 'refused' ? nextTry(mail.attempts, clock()) : undefined
  return again ? { result: 'refused', reply: answer.reply, tryAgainAt: instant(again) } : { result: 'failed', reply: answer.reply }
}

const instant = (now: Temporal.Instant) => new Date(now.epochMilliseconds)

function standingOf({ data, version, newestVersion, newestStatus, newestStart, recipient, ...mail }: Claimed): Standing {
  const expiresAt = data.offer?.expiresAt ?? data.account?.expiresAt ?? data.account?.until
  const { appointment } = data
  return {
    ...mail,
    expiresAt: expiresAt ? new Date(expiresAt) : null,
    recipientErased: !recipient?.email,
    appointment:
      appointment && version !== null && newestVersion !== null && newestStatus !== null && newestStart
        ? {
            mail: { version, start: new Date(appointment.start) },
            now: { version: newestVersion, status: newestStatus, start: newestStart },
            laterSent: mail.laterSent,
            laterWaits: mail.laterWaits
          }
        : null
  }
}
