import { isOfOneItem, type Sql, transaction } from '#platform/data/db'
import { currentOrNewTrace } from '#platform/events/outbox'
import { describeError, log } from '#platform/setup/log'
import { counter, fromZero } from '#platform/setup/metrics'
import type { Template } from '../mails/model.ts'
import { enqueue } from '../mails/queries.ts'
import { type Due, findDue, takeDue } from './queries.ts'

const EVERY_MS = 1_000
const BATCH = 100
const reminders = fromZero(counter('reminders_total', 'Reminders that came due, by what became of them', ['outcome']), {
  outcome: 'dropped'
})
const templates: Record<number, Template> = { 1440: 'reminder_24h', 60: 'reminder_1h' }

/** Turns reminders that are due into mails, until it is stopped. */
export function startReminding(sql: Sql, clock: () => Temporal.Instant): { stop: () => Promise<void> } {
  let stopped = false
  let wake = () => {}
  const loop = (async () => {
    while (!stopped) {
      const nap = new Promise<void>((resolve) => {
        wake = resolve
      })
      try {
        while (!stopped && (await remind(sql, clock())) === BATCH) {}
      } catch (error) {
        log.error(describeError(error), 'reminders failed, trying again')
      }
      if (!stopped) await Promise.race([nap, Bun.sleep(EVERY_MS)])
    }
  })()
  return {
    stop: async () => {
      stopped = true
      wake()
      await loop
    }
  }
}

/**
 * Takes the reminders that are due and writes both parties a mail, in one transaction; gives how many it took. Where that fails, each is taken in a
 * transaction of its own, so that one that cannot become a mail holds no other up.
 */
export async function remind(sql: Sql, now: Temporal.Instant): Promise<number> {
  try {
    return await remindTogether(sql, now)
  } catch (error) {
    if (!isOfOneItem(error)) throw error
    const ids = await findDue(sql, new Date(now.epochMilliseconds), BATCH)
    for (const id of ids)
      await remindTogether(sql, now, [id]).catch((reason) => log.error({ reminder: id, ...describeError(reason) }, 'a reminder failed'))
    return 0
  }
}

/**
 * One that is late, since nobody was there to send it, is sent as long as the visit has not begun, and dropped and counted afterwards.
 */
function remindTogether(sql: Sql, now: Temporal.Instant, ids: string[] | null = null): Promise<number> {
  return transaction(sql, async (tx) => {
    const due = await takeDue(tx, new Date(now.epochMilliseconds), BATCH, ids)
    for (const reminder of due) {
      const template = templates[reminder.leadMinutes]
      const outcome = reminder.status === 'confirmed' && template && reminder.startAt.getTime() > now.epochMilliseconds ? 'sent' : 'dropped'
      if (outcome === 'sent' && template) await enqueue(tx, causeOf(reminder, now), mailsOf(reminder, template))
      else log.warn({ appointment: reminder.appointmentId, lead: reminder.leadMinutes }, 'reminder dropped, the appointment has begun')
      reminders.inc({ outcome })
    }
    return due.length
  })
}

const causeOf = ({ id }: Due, now: Temporal.Instant) => {
  const { requestId: requestid, traceparent } = currentOrNewTrace()
  return { id, type: 'healthmed.reminder.due.v1', time: now.toString({ smallestUnit: 'millisecond' }), requestid, traceparent }
}

const mailsOf = ({ appointmentId, version, doctorId, patientId, ...visit }: Due, template: Template) =>
  [patientId, doctorId].map((recipientId) => ({
    template,
    recipientId,
    appointment: { id: appointmentId, version },
    data: {
      appointment: {
        doctorId,
        patientId,
        start: visit.startAt.toISOString(),
        end: visit.endAt.toISOString(),
        timezone: visit.timezone,
        status: visit.status,
        statusReason: null,
        previousStart: null,
        actor: { id: null, role: 'system' }
      }
    }
  }))
