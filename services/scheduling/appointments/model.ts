import { type Static, t } from 'elysia'
import type { AppointmentSnapshot } from '#platform/events'
import { Instant, instantText, Money, Reason, TimeZone, Uuid } from '#platform/schema'
import type { Status } from './states.ts'

/** The states that a client can see and ask for. */
export const StatusOut = t.Union([
  t.Literal('requested'),
  t.Literal('confirmed'),
  t.Literal('declined'),
  t.Literal('cancelled'),
  t.Literal('completed'),
  t.Literal('no_show'),
  t.Literal('expired')
])

/** An appointment as its two parties see it. */
export const Appointment = t.Object({
  id: Uuid,
  doctor: t.Object({ id: Uuid, name: t.String(), crm: t.String() }),
  patient: t.Object({ id: Uuid, name: t.String() }),
  start: Instant,
  end: Instant,
  timezone: TimeZone,
  price: Money,
  status: StatusOut,
  reason: t.Optional(t.String()),
  statusReason: t.Optional(t.String()),
  version: t.Number(),
  createdAt: Instant,
  updatedAt: Instant
})
export type Appointment = Static<typeof Appointment>

/** A wish to book; `reason` is the patient's and stays between the two. */
export const BookingWish = t.Object(
  { doctorId: Uuid, start: Instant, reason: t.Optional(Reason), holdId: t.Optional(Uuid) },
  { additionalProperties: false }
)
export type BookingWish = Static<typeof BookingWish>

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
  reason: string | null
  statusReason: string | null
  version: number
  createdAt: Date
  updatedAt: Date
}

/** A row as the API writes it. */
export const appointmentOf = (row: AppointmentRow): Appointment => ({
  id: row.id,
  doctor: { id: row.doctorId, name: row.doctorName, crm: row.crm ?? '' },
  patient: { id: row.patientId, name: row.patientName },
  start: instantText(row.start),
  end: instantText(row.end),
  timezone: row.timezone,
  price: { amount: row.priceAmount, currency: row.priceCurrency },
  status: row.status as Appointment['status'],
  ...(row.reason !== null && { reason: row.reason }),
  ...(row.statusReason !== null && { statusReason: row.statusReason }),
  version: row.version,
  createdAt: instantText(row.createdAt),
  updatedAt: instantText(row.updatedAt)
})

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
  statusReason: row.statusReason,
  previousStart: previousStart && instantText(previousStart),
  actor,
  version: row.version,
  createdAt: instantText(row.createdAt)
})
