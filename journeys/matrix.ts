/** Who calls: nobody, two patients, two doctors, an admin, and a patient whom an admin has disabled. */
export const actors = ['nobody', 'patientA', 'patientB', 'doctorA', 'doctorB', 'admin', 'disabled'] as const
/** One of them. */
export type Actor = (typeof actors)[number]

/** What the id in a path stands for. All but users, notifications, feeds and problems are somebody's own. */
export type Subject =
  | 'doctor'
  | 'exception'
  | 'hold'
  | 'requested'
  | 'confirmed'
  | 'past'
  | 'waiting'
  | 'feed'
  | 'session'
  | 'pending doctor'
  | 'some patient'
  | 'notification'
  | 'problem'

/** `public` lets everybody in, `any` whoever has a good token, `party` patients and doctors. */
export type Access = 'public' | 'any' | 'patient' | 'doctor' | 'party' | 'admin'

/** One operation: who may call it, with what, and the status of the answer to those who may. `spends` ends the session that it is called in. */
export type Row = { access: Access; subject?: Subject; body?: Wish; query?: string; status: number; spends?: true }

/** A body as it is sent; functions are given what is there to name. */
export type Wish = object | ((world: World) => object)

/** What bodies may name. */
export type World = { doctorA: string; freeSlot: () => string; fresh: () => object; specialty: string }

const reason = { reason: 'Not that day' }
const price = { amount: 35000, currency: 'BRL' }
const week = [1, 2, 3, 4, 5, 6, 7].map((weekday) => ({ weekday, start: '08:00', end: '18:00' }))
const days = { from: '2031-01-06', to: '2031-01-07' }
const slot = ({ doctorA, freeSlot }: World) => ({ doctorId: doctorA, start: freeSlot() })
const wrongPassword = { password: 'not the password' }

/**
 * Every operation of the public API and who may call it: the authorisation matrix. The test compares it with what all four processes document and
 * what the gateway lets through, so that none is added without a row.
 */
export const matrix: Record<string, Row> = {
  'GET /health': { access: 'public', status: 200 },
  'GET /problems': { access: 'public', status: 200 },
  'GET /problems/:code': { access: 'public', subject: 'problem', status: 200 },
  'GET /ops/state': { access: 'admin', status: 200 },

  'GET /.well-known/jwks.json': { access: 'public', status: 200 },
  'POST /v1/auth/patients': { access: 'public', body: ({ fresh }) => fresh(), status: 201 },
  'POST /v1/auth/doctors': { access: 'public', body: {}, status: 422 },
  'POST /v1/auth/login': { access: 'public', body: { identifier: 'nobody@example.com', ...wrongPassword }, status: 401 },
  'POST /v1/auth/login/mfa': { access: 'public', body: {}, status: 422 },
  'POST /v1/auth/refresh': { access: 'public', body: { refreshToken: 'none' }, status: 401 },
  'GET /v1/auth/me': { access: 'any', status: 200 },
  'PATCH /v1/auth/me': { access: 'any', body: { locale: 'en' }, status: 200 },
  'DELETE /v1/auth/me': { access: 'any', body: wrongPassword, status: 401 },
  'GET /v1/auth/me/export': { access: 'any', status: 200 },
  'POST /v1/auth/mfa/totp': { access: 'any', status: 201 },
  'POST /v1/auth/mfa/totp/activate': { access: 'any', body: { code: '000000' }, status: 401 },
  'DELETE /v1/auth/mfa/totp': { access: 'any', body: { ...wrongPassword, code: '000000' }, status: 401 },
  'GET /v1/auth/sessions': { access: 'any', status: 200 },
  'DELETE /v1/auth/sessions/:id': { access: 'any', subject: 'session', status: 204 },
  'POST /v1/auth/password/change': {
    access: 'any',
    body: { currentPassword: 'not the password', newPassword: 'uma outra frase bem longa' },
    status: 401
  },
  'POST /v1/auth/password/forgot': { access: 'public', body: { email: 'nobody@example.com' }, status: 202 },
  'POST /v1/auth/password/reset': { access: 'public', body: { token: 'none', newPassword: 'uma outra frase bem longa' }, status: 400 },
  'POST /v1/auth/email/verify': { access: 'public', body: { token: 'none' }, status: 400 },
  'POST /v1/auth/me/email': { access: 'any', body: { email: 'new@example.com', ...wrongPassword }, status: 401 },
  'POST /v1/auth/email/resend': { access: 'any', status: 202 },
  'GET /v1/admin/users': { access: 'admin', status: 200 },
  'POST /v1/admin/doctors/:id/approve': { access: 'admin', subject: 'pending doctor', status: 200 },
  'POST /v1/admin/doctors/:id/reject': { access: 'admin', subject: 'pending doctor', body: reason, status: 200 },
  'POST /v1/admin/users/:id/disable': { access: 'admin', subject: 'some patient', status: 200 },
  'POST /v1/admin/users/:id/reset-mfa': { access: 'admin', subject: 'some patient', body: reason, status: 200 },
  'POST /v1/admin/users/:id/enable': { access: 'admin', subject: 'some patient', status: 200 },

  'GET /v1/specialties': { access: 'public', status: 200 },
  'GET /v1/doctors': { access: 'public', status: 200 },
  'GET /v1/doctors/:id': { access: 'public', subject: 'doctor', status: 200 },
  'GET /v1/doctors/:id/slots': { access: 'public', subject: 'doctor', status: 200 },
  'GET /v1/slots': { access: 'public', query: '?specialty=cardiologia', status: 200 },
  'GET /v1/doctors/me/profile': { access: 'doctor', status: 200 },
  'PUT /v1/doctors/me/profile': {
    access: 'doctor',
    body: ({ specialty }) => ({ specialties: [specialty], price, timezone: 'America/Sao_Paulo', minNoticeMinutes: 0 }),
    status: 200
  },
  'GET /v1/doctors/me/schedule': { access: 'doctor', status: 200 },
  'PUT /v1/doctors/me/schedule': { access: 'doctor', body: { slotMinutes: 60, rules: week }, status: 200 },
  'GET /v1/doctors/me/exceptions': { access: 'doctor', status: 200 },
  'POST /v1/doctors/me/exceptions': { access: 'doctor', body: { kind: 'closed', from: '2031-02-03', to: '2031-02-03' }, status: 201 },
  'DELETE /v1/doctors/me/exceptions/:id': { access: 'doctor', subject: 'exception', status: 204 },
  'DELETE /v1/holds/:id': { access: 'patient', subject: 'hold', status: 204 },
  'POST /v1/holds': { access: 'patient', body: slot, status: 201 },
  'POST /v1/appointments': { access: 'patient', body: slot, status: 201 },
  'GET /v1/appointments': { access: 'party', status: 200 },
  'GET /v1/appointments/:id': { access: 'party', subject: 'requested', status: 200 },
  'GET /v1/appointments/:id/history': { access: 'party', subject: 'requested', status: 200 },
  'GET /v1/appointments/:id/calendar.ics': { access: 'party', subject: 'requested', status: 200 },
  'POST /v1/appointments/:id/confirm': { access: 'doctor', subject: 'requested', status: 200 },
  'POST /v1/appointments/:id/decline': { access: 'doctor', subject: 'requested', body: reason, status: 200 },
  'POST /v1/appointments/:id/cancel': { access: 'party', subject: 'confirmed', body: reason, status: 200 },
  'POST /v1/appointments/:id/reschedule': {
    access: 'party',
    subject: 'confirmed',
    body: ({ freeSlot }) => ({ start: freeSlot() }),
    status: 200
  },
  'POST /v1/appointments/:id/complete': { access: 'doctor', subject: 'past', status: 200 },
  'POST /v1/appointments/:id/no-show': { access: 'doctor', subject: 'past', status: 200 },
  'POST /v1/waitlist': { access: 'patient', body: ({ doctorA }) => ({ doctorId: doctorA, ...days }), status: 201 },
  'GET /v1/waitlist': { access: 'patient', status: 200 },
  'DELETE /v1/waitlist/:id': { access: 'patient', subject: 'waiting', status: 204 },
  'POST /v1/calendar-feed': { access: 'party', status: 201 },
  'DELETE /v1/calendar-feed': { access: 'party', status: 204 },
  'GET /v1/calendar-feed/:file': { access: 'public', subject: 'feed', status: 200 },
  'GET /v1/events': { access: 'party', status: 200 },

  'GET /v1/admin/notifications': { access: 'admin', status: 200 },
  'POST /v1/admin/notifications/:id/resend': { access: 'admin', subject: 'notification', status: 202 },
  'GET /v1/admin/dead-letters': { access: 'admin', status: 200 },
  'POST /v1/admin/dead-letters/replay': { access: 'admin', status: 202 },

  // they end sessions, and so come last
  'POST /v1/auth/logout': { access: 'any', status: 204, spends: true },
  'POST /v1/auth/logout-all': { access: 'any', status: 204, spends: true }
}
