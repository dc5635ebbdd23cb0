import { type Static, type TProperties, Type } from '@sinclair/typebox'
import { Instant, Uuid } from '../http/schema.ts'

/*
 * Every event that crosses a service border, CloudEvents 1.0 in JSON. Ids only, but for `user.*`, which carries what scheduling (names) and the
 * notifier (addresses) keep. An unknown field is ignored, a missing one sends the message to the dead letters. A breaking change is a new `.vN`.
 */
const Id = Type.String({ pattern: Uuid.pattern as string })
const Moment = Type.String({ pattern: Instant.pattern as string })
const nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()])
const data = <P extends TProperties>(properties: P) => Type.Object(properties)

const User = data({
  id: Id,
  role: Type.Union([Type.Literal('patient'), Type.Literal('doctor'), Type.Literal('admin')]),
  name: Type.String(),
  email: Type.String(),
  emailVerified: Type.Boolean(),
  locale: Type.String(),
  timezone: Type.String(),
  /** `123456-SP`, doctors only. */
  crm: nullable(Type.String()),
  /** Doctors only. */
  approval: nullable(Type.Union([Type.Literal('pending'), Type.Literal('approved'), Type.Literal('rejected')])),
  disabled: Type.Boolean(),
  /** Rises with every change of the person: an older snapshot that arrives late changes nothing. */
  version: Type.Integer()
})

const Appointment = data({
  id: Id,
  doctorId: Id,
  patientId: Id,
  start: Moment,
  end: Moment,
  /** Where the visit is: the doctor's zone. */
  timezone: Type.String(),
  status: Type.String(),
  /** What decline, cancel and the like gave as their reason, in clear as earlier releases announced it; never the patient's reason for the visit. */
  statusReason: nullable(Type.String()),
  /** The same, sealed for the notifier (EVENT_KEY of scheduling), for `statusReasonContext`. */
  sealedStatusReason: Type.Optional(nullable(Type.String())),
  /** Where it was before a move; of a declined or expired one, the time that an unanswered move gave up. */
  previousStart: nullable(Moment),
  /** Who did it: a party, an admin, or `system` (expiry, erasure). */
  actor: data({ id: nullable(Id), role: Type.String() }),
  version: Type.Integer(),
  createdAt: Moment
})

const MailToken = data({
  id: Id,
  /** Sealed for the notifier (EVENT_KEY of auth), for `mailTokenContext`. */
  sealedToken: Type.Optional(Type.String()),
  /** In clear, as earlier releases announced it: still accepted. */
  token: Type.Optional(Type.String()),
  expiresAt: Moment
})

/** The place for which the token of a person's mail is sealed. */
export const mailTokenContext = (userId: string) => `mail token of ${userId}`
/** The place for which the reason of a change of an appointment is sealed. */
export const statusReasonContext = (appointmentId: string) => `status reason of ${appointmentId}`

/** What auth alone announces: the data of each event by its type. */
const authEvents = {
  'healthmed.user.registered.v1': User,
  'healthmed.user.updated.v1': User,
  /**
   * Every session of the person was ended at once, for a reason that takes away whatever was set up with them, such as the calendar feed. A session is
   * one of these if its id is lower than the id of this event: both are UUIDv7, so no two clocks are compared.
   */
  'healthmed.user.access_revoked.v1': data({ id: Id, reason: Type.String() }),
  'healthmed.user.erased.v1': data({
    id: Id,
    role: Type.String(),
    version: Type.Integer(),
    /** `unverified`: the address was not verified in time, so nothing is written to it. Left out where the person wished it. */
    reason: Type.Optional(Type.String())
  }),
  'healthmed.user.verification_requested.v1': MailToken,
  /** A token for `email`, a new address of the account, and a notice to the previous one. */
  'healthmed.user.verification_of_new_address_requested.v1': data({
    ...MailToken.properties,
    email: Type.String(),
    previousEmail: Type.String()
  }),
  'healthmed.user.password_reset_requested.v1': MailToken,
  /** One client is locked for a while; or, with `resetNeeded`, everybody until a password reset by email. */
  'healthmed.user.locked_out.v1': data({ id: Id, until: Moment, resetNeeded: Type.Optional(Type.Boolean()) }),
  /** The second factor was activated or removed by the person, reset by an admin (`reason`), or voided with the first proof of the email address. */
  'healthmed.user.second_factor_changed.v1': data({ id: Id, change: Type.String(), reason: nullable(Type.String()) }),
  'healthmed.doctor.approved.v1': data({ id: Id }),
  'healthmed.doctor.rejected.v1': data({ id: Id, reason: Type.String() })
} as const

/** What scheduling alone announces. */
const schedulingEvents = {
  'healthmed.appointment.requested.v1': Appointment,
  'healthmed.appointment.confirmed.v1': Appointment,
  'healthmed.appointment.declined.v1': Appointment,
  'healthmed.appointment.cancelled.v1': Appointment,
  'healthmed.appointment.rescheduled.v1': Appointment,
  'healthmed.appointment.expired.v1': Appointment,
  'healthmed.appointment.completed.v1': Appointment,
  'healthmed.appointment.no_show.v1': Appointment,
  'healthmed.waitlist.offered.v1': data({
    id: Id,
    patientId: Id,
    doctorId: Id,
    start: Moment,
    end: Moment,
    timezone: Type.String(),
    expiresAt: Moment
  })
} as const

/** The data of each event by its type. */
export const events = { ...authEvents, ...schedulingEvents } as const

/** A service that announces events. */
export type Source = 'auth' | 'scheduling'

/**
 * The types that a service owns. No other service may announce them: the broker refuses to publish them, and every consumer compares an event's
 * `source` with its `type`.
 */
export const typesOf = { auth: Object.keys(authEvents), scheduling: Object.keys(schedulingEvents) } as Record<Source, EventType[]>

/** The service that owns a type. */
export const sourceOf = (type: EventType): Source => (Object.hasOwn(authEvents, type) ? 'auth' : 'scheduling')

/** Which service reads which events. The queues are declared from it before anybody publishes. */
export const consumers = {
  scheduling: ['healthmed.user.registered.v1', 'healthmed.user.updated.v1', 'healthmed.user.access_revoked.v1', 'healthmed.user.erased.v1'],
  // all but what concerns scheduling alone
  notifier: Object.keys(events).filter((type) => type !== 'healthmed.user.access_revoked.v1')
} satisfies Record<string, string[]>

/** The type of an event, which is also its routing key. */
export type EventType = keyof typeof events
/** What an event of a type says. */
export type EventData<T extends EventType> = Static<(typeof events)[T]>
/** A person as auth tells it. */
export type UserSnapshot = Static<typeof User>
/** An appointment as scheduling tells it. */
export type AppointmentSnapshot = Static<typeof Appointment>

/** CloudEvents 1.0 with the Distributed Tracing extension; `id` is the outbox row's, `subject` the aggregate's, `requestid` the request that caused it. */
export type Event<T extends EventType = EventType> = {
  specversion: '1.0'
  id: string
  type: T
  source: string
  subject: string
  time: string
  datacontenttype: 'application/json'
  traceparent: string
  requestid: string
  data: EventData<T>
}

/** The frame of every event; its data is checked by the schema of its type. */
export const Envelope = Type.Object({
  specversion: Type.Literal('1.0'),
  id: Id,
  type: Type.String(),
  source: Type.String(),
  subject: Type.String(),
  time: Moment,
  traceparent: Type.String(),
  requestid: Type.String(),
  data: Type.Object({})
})

/** Whether this version of the system knows the type. */
export const isEventType = (type: string): type is EventType => Object.hasOwn(events, type)
