import type { Locale, Person } from '../people/queries.ts'
import type { Draft } from './compose.ts'
import { type MailData, type Template, templates } from './model.ts'

const event = '019b0d5e-3c4f-7a31-9f0e-2f6f1f0c9a11'
const doctor = (locale: Locale): Person => ({
  id: '019b0d5e-0000-7000-8000-00000000000d',
  role: 'doctor',
  name: 'Dra. Íris Conceição',
  email: 'iris@example.com',
  verified: true,
  locale,
  timezone: 'America/Sao_Paulo',
  crm: '123456-SP'
})
const patient = (locale: Locale): Person => ({
  id: '019b0d5e-0000-7000-8000-00000000000a',
  role: 'patient',
  name: 'João Ávila <teste> & Cia',
  email: 'joao@example.com',
  verified: true,
  locale,
  timezone: 'America/Manaus',
  crm: null
})

const visit = (more: Partial<MailData['appointment']> = {}): MailData['appointment'] => ({
  doctorId: doctor('pt-BR').id,
  patientId: patient('pt-BR').id,
  start: '2027-01-07T11:00:00Z',
  end: '2027-01-07T12:00:00Z',
  timezone: 'America/Sao_Paulo',
  status: 'confirmed',
  statusReason: null,
  previousStart: null,
  actor: { id: patient('pt-BR').id, role: 'patient' },
  ...more
})

const dataOf: Record<Template, MailData> = {
  appointment_requested: { appointment: visit({ status: 'requested' }) },
  appointment_confirmed: { appointment: visit(), calendar: 'REQUEST' },
  appointment_declined: { appointment: visit({ status: 'declined', statusReason: 'Estarei em um congresso nessa semana.' }) },
  appointment_cancelled: { appointment: visit({ status: 'cancelled', statusReason: 'Vou viajar' }), calendar: 'CANCEL' },
  appointment_rescheduled: { appointment: visit({ status: 'requested', previousStart: '2027-01-05T13:00:00Z' }), calendar: 'REQUEST' },
  appointment_expired: { appointment: visit({ status: 'expired' }) },
  reminder_24h: { appointment: visit() },
  reminder_1h: { appointment: visit() },
  waitlist_offered: {
    offer: {
      id: event,
      patientId: patient('pt-BR').id,
      doctorId: doctor('pt-BR').id,
      start: '2027-01-07T11:00:00Z',
      end: '2027-01-07T12:00:00Z',
      timezone: 'America/Sao_Paulo',
      expiresAt: '2027-01-04T18:15:00Z'
    }
  },
  verify_email: { account: { token: 'sampleToken_0123456789-abcdefghijklmnopqrstuv', expiresAt: '2027-01-05T11:00:00Z' } },
  verify_new_email: {
    account: { token: 'sampleToken_0123456789-abcdefghijklmnopqrstuv', expiresAt: '2027-01-05T11:00:00Z' },
    address: 'new@example.com'
  },
  email_changing: { address: 'old@example.com' },
  password_reset: { account: { token: 'sampleToken_0123456789-abcdefghijklmnopqrstuv', expiresAt: '2027-01-04T11:30:00Z' } },
  locked_out: { account: { until: '2027-01-04T11:15:00Z' } },
  second_factor_on: { account: { change: 'activated', reason: null } },
  second_factor_off: { account: { change: 'reset', reason: 'Perdeu o celular; identidade conferida no balcão.' } },
  doctor_approved: {},
  doctor_rejected: { account: { reason: 'O CRM informado não foi encontrado.' } },
  account_erased: {}
}

const forDoctors: Template[] = ['doctor_approved', 'doctor_rejected']
const forPatients: Template[] = ['waitlist_offered']

const locales = ['pt-BR', 'en'] as const
const both = (locale: Locale) => [patient(locale), doctor(locale)]

/** Every mail in both languages, to each role that gets it. */
export function samples(): Draft[] {
  return templates.flatMap((template) =>
    locales.flatMap((locale) =>
      both(locale)
        .filter(({ role }) => !(role === 'patient' ? forDoctors : forPatients).includes(template))
        .map((recipient) => sample(template, recipient))
    )
  )
}

/** The mails that say more in some cases, by the name of the case. */
export function cases(): [name: string, draft: Draft][] {
  const moved = {
    previousStart: '2027-01-05T13:00:00Z',
    statusReason: 'Estarei em um congresso.\n\nLigue para a recepção, que encontra outro horário.'
  }
  return locales.flatMap((locale) =>
    both(locale).flatMap((recipient): [string, Draft][] => [
      [
        'moved',
        sample('appointment_declined', recipient, { data: { appointment: visit({ status: 'declined', ...moved }), calendar: 'CANCEL' } })
      ],
      [
        'moved',
        sample('appointment_expired', recipient, { data: { appointment: visit({ status: 'expired', ...moved, statusReason: null }) } })
      ],
      ['unproved', sample('appointment_confirmed', { ...recipient, verified: false })]
    ])
  )
}

/** One mail, as its row would have it. */
export function sample(template: Template, recipient: Person, more: Partial<Draft> = {}): Draft {
  const data = dataOf[template]
  return {
    eventId: event,
    eventAt: new Date('2027-01-04T10:59:00Z'),
    template,
    appointmentId: data.appointment ? '019b0d5e-0000-7000-8000-0000000000aa' : null,
    version: data.appointment ? 3 : null,
    data,
    recipient,
    doctor: data.appointment || data.offer ? doctor(recipient.locale) : null,
    patient: data.appointment ? patient(recipient.locale) : null,
    ...more
  }
}
