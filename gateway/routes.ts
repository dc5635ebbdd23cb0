import type { Role } from '#platform/identity/caller'
import table from './route-table.json' with { type: 'json' }

/** The services behind the gateway. */
export const services = ['auth', 'scheduling', 'notifier'] as const
/** A service behind the gateway. */
export type Service = (typeof services)[number]
/** Which limit a call counts against besides the general one. */
export type Tier = 'general' | 'login' | 'refresh' | 'register' | 'reset'

/**
 * One call of the public API. `roles`: null for everybody without a token, empty for any caller with one. `keyed`: the service honours an
 * `Idempotency-Key`, so that a call with one may be repeated. `tellsAddress`: the service limits by the client's address and is told it.
 */
export type Route = {
  method: string
  path: string
  service: Service
  roles: readonly Role[] | null
  tier: Tier
  keyed: boolean
  tellsAddress: boolean
  price: Price | undefined
}

/** What a call counts for in the general limit, where that is more than one; with `parameters`: if its query has one of these. */
export type Price = { points: number; parameters?: readonly string[] }

/** The call that has no end: the changes of a person's appointments as they happen. */
export const STREAM = '/v1/events'

/** What is tried by people who guess, or costs a mail or a hash each time, has a limit of its own. */
const tiers: Record<string, Tier> = {
  'POST /v1/auth/patients': 'register',
  'POST /v1/auth/doctors': 'register',
  'POST /v1/auth/login': 'login',
  'POST /v1/auth/login/mfa': 'login',
  'POST /v1/auth/refresh': 'refresh',
  'POST /v1/auth/password/forgot': 'reset',
  'POST /v1/auth/password/reset': 'reset',
  'POST /v1/auth/email/verify': 'reset',
  'POST /v1/auth/email/resend': 'reset',
  'POST /v1/auth/me/email': 'reset'
}

/** Claims of a doctor's time are limited by address as well. */
const claims = new Set(['POST /v1/holds', 'POST /v1/appointments', 'POST /v1/waitlist'])

/** What makes a service read much: searches over many doctors' calendars, and everything that every service knows of a person. */
const prices: Record<string, Price> = {
  'GET /v1/doctors': { points: 5, parameters: ['availableFrom', 'availableTo'] },
  'GET /v1/slots': { points: 5 },
  'GET /v1/auth/me/export': { points: 20 }
}

/**
 * Every call that a client can make of a service: what is not here cannot be reached. `bun run routes` writes it from the OpenAPI documents of the
 * services.
 */
export const routes: Route[] = (table as Omit<Route, 'tier' | 'tellsAddress' | 'price'>[]).map((row) => {
  const operation = `${row.method} ${row.path}`
  return {
    ...row,
    tier: tiers[operation] ?? 'general',
    // auth throttles by it
    tellsAddress: row.service === 'auth' || claims.has(operation),
    price: prices[operation]
  }
})

const known = new Set(routes.map(({ method, path }) => `${method} ${path}`))
for (const operation of [...Object.keys(tiers), ...claims, ...Object.keys(prices)])
  if (!known.has(operation)) throw new Error(`${operation} has a limit, and no service offers it`)
