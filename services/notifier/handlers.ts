import type { Db } from '#platform/data/db'
import type { Event } from '#platform/events/events'
import type { Handlers } from '#platform/events/inbox'
import { follow } from './appointments/follow.ts'
import type { Template } from './mails/model.ts'
import { enqueue } from './mails/queries.ts'
import { forgetPerson, rememberPerson, requirePeople } from './people/follow.ts'
import { requireToken, type Secrets } from './secrets.ts'

type ToPerson = Event<
  | 'healthmed.user.verification_requested.v1'
  | 'healthmed.user.password_reset_requested.v1'
  | 'healthmed.user.locked_out.v1'
  | 'healthmed.user.second_factor_changed.v1'
  | 'healthmed.doctor.approved.v1'
  | 'healthmed.doctor.rejected.v1'
>

/** Writes the person of the event a mail. */
const tell = (secrets: Secrets, template: Template) => async (tx: Db, event: ToPerson) => {
  requireToken(secrets, event.data)
  const [person] = await requirePeople(tx, [event.data.id])
  const { id, ...account } = event.data
  if (person?.email) await enqueue(tx, event, [{ template, recipientId: id, data: { account } }])
}

/** Sends the token to the new address, and a notice to the one before. */
const changeAddress = (secrets: Secrets) => async (tx: Db, event: Event<'healthmed.user.verification_of_new_address_requested.v1'>) => {
  const { id, email, previousEmail, ...account } = event.data
  requireToken(secrets, event.data)
  const [person] = await requirePeople(tx, [id])
  if (!person?.email) return
  await enqueue(tx, event, [
    { template: 'verify_new_email', recipientId: id, data: { account, address: email } },
    { template: 'email_changing', recipientId: id, data: { address: previousEmail } }
  ])
}

/** Writes the person that the second factor came or went. */
const tellSecondFactor = (secrets: Secrets) => (tx: Db, event: Event<'healthmed.user.second_factor_changed.v1'>) =>
  tell(secrets, event.data.change === 'activated' ? 'second_factor_on' : 'second_factor_off')(tx, event)

/** Writes the first of a waiting list that a slot is kept for them. */
async function offer(tx: Db, event: Event<'healthmed.waitlist.offered.v1'>) {
  const { patientId, doctorId } = event.data
  const [patient] = await requirePeople(tx, [patientId, doctorId])
  if (patient?.email) await enqueue(tx, event, [{ template: 'waitlist_offered', recipientId: patientId, data: { offer: event.data } }])
}

/** What the notifier does with each event. */
export const handlersOf = (secrets: Secrets): Handlers => ({
  'healthmed.user.registered.v1': rememberPerson,
  'healthmed.user.updated.v1': rememberPerson,
  'healthmed.user.erased.v1': forgetPerson,
  'healthmed.user.verification_requested.v1': tell(secrets, 'verify_email'),
  'healthmed.user.verification_of_new_address_requested.v1': changeAddress(secrets),
  'healthmed.user.password_reset_requested.v1': tell(secrets, 'password_reset'),
  'healthmed.user.locked_out.v1': tell(secrets, 'locked_out'),
  'healthmed.user.second_factor_changed.v1': tellSecondFactor(secrets),
  'healthmed.doctor.approved.v1': tell(secrets, 'doctor_approved'),
  'healthmed.doctor.rejected.v1': tell(secrets, 'doctor_rejected'),
  'healthmed.appointment.requested.v1': follow(secrets, 'appointment_requested'),
  'healthmed.appointment.confirmed.v1': follow(secrets, 'appointment_confirmed'),
  'healthmed.appointment.declined.v1': follow(secrets, 'appointment_declined'),
  'healthmed.appointment.cancelled.v1': follow(secrets, 'appointment_cancelled'),
  'healthmed.appointment.rescheduled.v1': follow(secrets, 'appointment_rescheduled'),
  'healthmed.appointment.expired.v1': follow(secrets, 'appointment_expired'),
  'healthmed.appointment.completed.v1': follow(secrets),
  'healthmed.appointment.no_show.v1': follow(secrets),
  'healthmed.waitlist.offered.v1': offer
})
