import type { Role } from '#platform/caller'

/** The services behind the gateway. */
export const services = ['auth', 'scheduling', 'notifier'] as const
/** A service behind the gateway. */
export type Service = (typeof services)[number]
/** Which limit a call counts against besides the general one. */
export type Tier = 'general' | 'login' | 'refresh' | 'register' | 'reset'

/**
 * One call of the public API. `roles`: null for everybody without a token, empty for any caller with one. `keyed`: the service honours an
 * `Idempotency-Key`, so that a call with one may be repeated.
 */
export type Route = { method: string; path: string; service: Service; roles: readonly Role[] | null; tier: Tier; keyed: boolean }

/** The call that has no end: the changes of a person's appointments as they happen. */
export const STREAM = '/v1/events'

type Access = 'public' | 'bearer' | Role | 'party'
type Row = [method: string, path: string, access: Access, tier?: Tier]

const auth: Row[] = [
  ['GET', '/.well-known/jwks.json', 'public'],
  ['POST', '/v1/auth/patients', 'public', 'register'],
  ['POST', '/v1/auth/doctors', 'public', 'register'],
  ['POST', '/v1/auth/login', 'public', 'login'],
  ['POST', '/v1/auth/login/mfa', 'public', 'login'],
  ['POST', '/v1/auth/refresh', 'public', 'refresh'],
  ['POST', '/v1/auth/logout', 'bearer'],
  ['POST', '/v1/auth/logout-all', 'bearer'],
  ['GET', '/v1/auth/me', 'bearer'],
  ['PATCH', '/v1/auth/me', 'bearer'],
  ['DELETE', '/v1/auth/me', 'bearer'],
  ['GET', '/v1/auth/me/export', 'bearer'],
  ['POST', '/v1/auth/mfa/totp', 'bearer'],
  ['POST', '/v1/auth/mfa/totp/activate', 'bearer'],
  ['DELETE', '/v1/auth/mfa/totp', 'bearer'],
  ['GET', '/v1/auth/sessions', 'bearer'],
  ['DELETE', '/v1/auth/sessions/:id', 'bearer'],
  ['POST', '/v1/auth/password/change', 'bearer'],
  ['POST', '/v1/auth/password/forgot', 'public', 'reset'],
  ['POST', '/v1/auth/password/reset', 'public', 'reset'],
  ['POST', '/v1/auth/email/verify', 'public', 'reset'],
  ['POST', '/v1/auth/email/resend', 'bearer', 'reset'],
  ['GET', '/v1/admin/users', 'admin'],
  ['POST', '/v1/admin/doctors/:id/approve', 'admin'],
  ['POST', '/v1/admin/doctors/:id/reject', 'admin'],
  ['POST', '/v1/admin/users/:id/disable', 'admin'],
  ['POST', '/v1/admin/users/:id/enable', 'admin']
]

const scheduling: Row[] = [
  ['GET', '/v1/specialties', 'public'],
  ['GET', '/v1/doctors', 'public'],
  ['GET', '/v1/doctors/:id', 'public'],
  ['GET', '/v1/doctors/me/profile', 'doctor'],
  ['PUT', '/v1/doctors/me/profile', 'doctor'],
  ['GET', '/v1/doctors/me/schedule', 'doctor'],
  ['PUT', '/v1/doctors/me/schedule', 'doctor'],
  ['GET', '/v1/doctors/me/exceptions', 'doctor'],
  ['POST', '/v1/doctors/me/exceptions', 'doctor'],
  ['DELETE', '/v1/doctors/me/exceptions/:id', 'doctor'],
  ['GET', '/v1/doctors/:id/slots', 'public'],
  ['GET', '/v1/slots', 'public'],
  ['POST', '/v1/holds', 'patient'],
  ['DELETE', '/v1/holds/:id', 'patient'],
  ['POST', '/v1/appointments', 'patient'],
  ['GET', '/v1/appointments', 'party'],
  ['GET', '/v1/appointments/:id', 'party'],
  ['GET', '/v1/appointments/:id/history', 'party'],
  ['GET', '/v1/appointments/:id/calendar.ics', 'party'],
  ['POST', '/v1/appointments/:id/confirm', 'doctor'],
  ['POST', '/v1/appointments/:id/decline', 'doctor'],
  ['POST', '/v1/appointments/:id/cancel', 'party'],
  ['POST', '/v1/appointments/:id/reschedule', 'party'],
  ['POST', '/v1/appointments/:id/complete', 'doctor'],
  ['POST', '/v1/appointments/:id/no-show', 'doctor'],
  ['POST', '/v1/waitlist', 'patient'],
  ['GET', '/v1/waitlist', 'patient'],
  ['DELETE', '/v1/waitlist/:id', 'patient'],
  ['POST', '/v1/calendar-feed', 'party'],
  ['GET', '/v1/calendar-feed/:file', 'public'],
  ['GET', STREAM, 'party']
]

const notifier: Row[] = [
  ['GET', '/v1/admin/notifications', 'admin'],
  ['POST', '/v1/admin/notifications/:id/resend', 'admin'],
  ['GET', '/v1/admin/dead-letters', 'admin'],
  ['POST', '/v1/admin/dead-letters/replay', 'admin']
]

const rolesOf = (access: Access): readonly Role[] | null => {
  if (access === 'public') return null
  if (access === 'bearer') return []
  return access === 'party' ? ['patient', 'doctor'] : [access]
}

const table = { auth, scheduling, notifier } satisfies Record<Service, Row[]>

/** Every call that a client can make of a service: what is not here cannot be reached. */
export const routes: Route[] = services.flatMap((service) =>
  table[service].map(([method, path, access, tier = 'general']) => ({
    method,
    path,
    service,
    roles: rolesOf(access),
    tier,
    keyed: method === 'POST' && path.startsWith('/v1/appointments')
  }))
)
