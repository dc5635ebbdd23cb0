import type { Db } from '#platform/data/db'
import type { AppointmentSnapshot, Event } from '#platform/events/events'
import type { Template } from '../mails/model.ts'
import { enqueue } from '../mails/queries.ts'
import { requirePeople } from '../people/follow.ts'
import { renewReminders } from '../reminders/renew.ts'
import { keepReason, type Secrets } from '../secrets.ts'
import { keepState } from './queries.ts'

type AppointmentEvent = Event & { data: AppointmentSnapshot }
type CalendarMethod = 'REQUEST' | 'CANCEL'

const methods: Partial<Record<Template, CalendarMethod>> = {
  appointment_confirmed: 'REQUEST',
  appointment_rescheduled: 'REQUEST',
  appointment_cancelled: 'CANCEL'
}

/** Follows a change: keeps the state, lets the reminders follow, and writes both parties a mail where the change has one. */
export const follow = (secrets: Secrets, template?: Template) => async (tx: Db, event: AppointmentEvent) => {
  const parties = await requirePeople(tx, [event.data.patientId, event.data.doctorId])
  const isAboutErased = parties.some(({ email }) => email === null) && event.data.actor.role !== 'system'
  const data = isAboutErased ? { ...event.data, statusReason: null, sealedStatusReason: null } : event.data
  const method = template && methods[template]
  const kept = await keepState(tx, data, method === 'REQUEST')
  if (kept) await renewReminders(tx, data, Temporal.Instant.from(event.time))
  if (!template) return
  const appointment = keepReason(secrets, data)
  const recipients = parties.filter((person) => person.email !== null)
  // an end that has no calendar part of its own must still take the entry out of the calendars that have it
  const calendar = method ?? (kept?.wasInCalendars && isOver(data.status) ? 'CANCEL' : null)
  await enqueue(
    tx,
    event,
    recipients.map(({ id }) => ({
      template,
      recipientId: id,
      appointment: { id: data.id, version: data.version },
      data: { appointment, calendar }
    }))
  )
}

const isOver = (status: string) => status === 'declined' || status === 'expired'
