import { type Static, t } from 'elysia'
import type { AppointmentSnapshot } from '#platform/events/events'
import { Crm, eg, IdOf, Instant, instantText, Money, PersonName, Reason, TimeZone, Uuid } from '#platform/http/schema'
import { DoctorName } from '../doctors/model.ts'
import { openReason, reasonForEvent } from '../privacy/reasons.ts'
import type { Status } from './states.ts'

/** The states that a client can see and ask for. */
export const StatusOut = t.Union(
  [
    t.Literal('requested'),
    t.Literal('confirmed'),
    t.Literal('declined'),
    t.Literal('cancelled'),
    t.Literal('completed'),
    t.Literal('no_show'),
    t.Literal('expired')
  ],
  { description: 'Where the appointment stands; `expired`: nobody answered in time' }
)
const PatientReason = eg(Reason, 'Check-up before a marathon', 'The patient’s; only the two parties see it')

/** The appointment of every example: just booked. */
export const example = {
  id: '019b1a2c-0f3e-7b58-a1c6-94d2e7b30c35',
  doctor: { id: '019b0d5e-3c4f-7a31-9f0e-2f6f1f0c9a11', name: 'Beatriz Nogueira', crm: '123456-SP' },
  patient: { id: '019b0d61-77a0-7c42-8d15-5b0e9c3a7f20', name: 'Ana Conceição' },
  start: '2027-01-05T11:00:00Z',
  end: '2027-01-05T11:30:00Z',
  timezone: 'America/Sao_Paulo',
  price: { amount: 35000, currency: 'BRL' },
  status: 'requested',
  reason: 'Check-up before a marathon',
  version: 1,
  createdAt: '2027-01-04T12:00:00Z',
  updatedAt: '2027-01-04T12:00:00Z'
}

/** An appointment as its two parties see it. */
export const Appointment = t.Object(
  {
    id: IdOf('appointment'),
    doctor: t.Object({ id: IdOf('doctor'), name: DoctorName, crm: Crm }),
    patient: t.Object({ id: IdOf('patient'), name: PersonName }),
    start: Instant,
    end: Instant,
    timezone: eg(TimeZone, 'America/Sao_Paulo', 'Where the visit is'),
    price: Money,
    status: StatusOut,
    reason: t.Optional(t.String({ description: 'The patient’s, from the booking', examples: ['Check-up before a marathon'] })),
    statusReason: t.Optional(
      t.String({ description: 'Why it was declined or cancelled', examples: ['The doctor is travelling that week'] })
    ),
    version: t.Number({ description: 'Rises with each change; in quotes it is the `ETag`', examples: [1] }),
    createdAt: Instant,
    updatedAt: Instant
  },
  { examples: [example] }
)
export type Appointment = Static<typeof Appointment>

/** The body of a booking. Only the patient and the doctor see `reason`. */
export const BookingInput = t.Object(
  {
    doctorId: IdOf('doctor'),
    start: eg(Instant, '2027-01-05T11:00:00Z', 'The start of a free slot'),
    reason: t.Optional(PatientReason),
    holdId: t.Optional(eg(IdOf('hold'), '019b1a2b-8e57-7d60-94aa-3c1f7e5b2d08', 'A hold of the caller’s on this slot'))
  },
  {
    additionalProperties: false,
    // without `holdId`: an example may be executed as it is, and no hold is there
    examples: [{ doctorId: example.doctor.id, start: example.start, reason: example.reason }]
  }
)
export type BookingInput = Static<typeof BookingInput>

/** The reason of a refusal. */
export const WithReason = t.Object(
  { reason: eg(Reason, 'The doctor is travelling that week', 'The other party reads it in the mail') },
  { additionalProperties: false }
)
/** One change in the audit trail. */
export const HistoryEntry = t.Object({
  at: eg(Instant, '2027-01-04T12:15:00Z'),
  actor: t.Object({
    id: t.Union([Uuid, t.Null()], { description: 'Null where it was the system' }),
    role: t.String({ examples: ['doctor'], description: '`patient`, `doctor` or `system`' })
  }),
  action: t.String({
    examples: ['decline'],
    description: '`book`, `confirm`, `decline`, `cancel`, `reschedule`, `complete`, `no_show` or `expire`'
  }),
  from: t.Union([t.String(), t.Null()], { examples: ['requested'], description: 'The status before; null at the booking' }),
  to: t.String({ examples: ['declined'], description: 'The status after' }),
  reason: t.Optional(t.String({ examples: ['The doctor is travelling that week'] }))
})

/** The columns that make an appointment, as every statement names them. */
export type AppointmentRow = {
  id: string
  doctorId: string
  doctorName: string
  crm: string | null
  patientId: string
  patientName: string
  start: Date
  end: Date
  timezone: string
  priceAmount: number
  priceCurrency: string
  status: Status
  /** As stored: sealed. */
  reason: string | null
  statusReason: string | null
  version: number
  createdAt: Date
  updatedAt: Date
}

/** A row as the API writes it, its reasons in clear. */
export function appointmentOf(row: AppointmentRow): Appointment {
  const reason = openReason(row.reason, 'appointments.reason', row.id)
  const statusReason = openReason(row.statusReason, 'appointments.status_reason', row.id)
  return {
    id: row.id,
    doctor: { id: row.doctorId, name: row.doctorName, crm: row.crm ?? '' },
    patient: { id: row.patientId, name: row.patientName },
    start: instantText(row.start),
    end: instantText(row.end),
    timezone: row.timezone,
    price: { amount: row.priceAmount, currency: row.priceCurrency },
    status: row.status as Appointment['status'],
    ...(reason !== null && { reason }),
    ...(statusReason !== null && { statusReason }),
    version: row.version,
    createdAt: instantText(row.createdAt),
    updatedAt: instantText(row.updatedAt)
  }
}

/** A row as an event tells it: ids only, and never the patient's reason. */
export const snapshotOf = (
  row: AppointmentRow,
  actor: AppointmentSnapshot['actor'],
  previousStart: Date | null = null
): AppointmentSnapshot => ({
  id: row.id,
  doctorId: row.doctorId,
  patientId: row.patientId,
  start: instantText(row.start),
  end: instantText(row.end),
  timezone: row.timezone,
  status: row.status,
  // in clear only earlier releases announced it
  statusReason: null,
  sealedStatusReason: reasonForEvent(row.statusReason, row.id),
  previousStart: previousStart && instantText(previousStart),
  actor,
  version: row.version,
  createdAt: instantText(row.createdAt)
})
