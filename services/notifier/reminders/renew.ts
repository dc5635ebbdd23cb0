import type { Db } from '#platform/data/db'
import type { AppointmentSnapshot } from '#platform/events/events'
import { clearReminders, setReminder } from './queries.ts'

/** How long before a confirmed appointment its parties are reminded, in minutes of elapsed time. */
const LEADS = [24 * 60, 60]

/**
 * Lets an appointment's reminders follow a change made at `changedAt`. One whose time had passed by then is not set: it would tell nothing new.
 */
export async function renewReminders(tx: Db, { id, status, start }: AppointmentSnapshot, changedAt: Temporal.Instant): Promise<void> {
  await clearReminders(tx, id)
  if (status !== 'confirmed') return
  const due = LEADS.map((leadMinutes) => ({
    appointmentId: id,
    leadMinutes,
    dueAt: Temporal.Instant.from(start).subtract({ minutes: leadMinutes })
  })).filter(({ dueAt }) => Temporal.Instant.compare(dueAt, changedAt) > 0)
  await Promise.all(due.map((reminder) => setReminder(tx, reminder)))
}
