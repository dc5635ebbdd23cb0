import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible'
import { networkOf } from '#platform/http/client-address'
import { Problem } from '#platform/http/problem'
import type { Price, Tier } from '../routes.ts'

/** Seconds of a window: every quota is per minute. */
const WINDOW = 60
type Name = Tier | 'anonymous'
/** Points a minute; a call counts for one, or for its price. `general` is for a person with a token; all others are for an address. */
export const quotas: Record<Name, number> = { general: 600, anonymous: 300, login: 60, register: 60, refresh: 120, reset: 30 }

/** What a counted request is told, as headers. */
export type Told = { 'ratelimit-policy': string; ratelimit: string }
/**
 * Counts a request of a person (with a token) or of an address, which a person's request of the general tier does without; in the general limit it may
 * count for several. Throws `rate_limited`.
 */
export type Count = (tier: Tier, person: string | undefined, address: string | undefined, points?: number) => Promise<Told>

/** What a request counts for in the general limit. Names of parameters are decoded, as the service does. */
export function pointsOf(price: Price | undefined, query: string): number {
  if (!price) return 1
  if (!price.parameters) return price.points
  const asked = query && new URLSearchParams(query)
  return asked && price.parameters.some((name) => asked.has(name)) ? price.points : 1
}

/** Limits of one gateway process, in memory. `amounts` are points a minute. */
export function limitsOf(amounts: Record<Name, number> = quotas): Count {
  const limiters = new Map<string, RateLimiterMemory>()
  for (const [name, points] of Object.entries(amounts)) limiters.set(name, new RateLimiterMemory({ points, duration: WINDOW }))

  const consume = async (name: Name, key: string, points = 1): Promise<Told> => {
    const limiter = limiters.get(name) as RateLimiterMemory
    try {
      return told(name, amounts[name], await limiter.consume(key, points))
    } catch (refused) {
      if (refused instanceof Error) throw refused
      const state = refused as RateLimiterRes
      throw new Problem('rate_limited', undefined, { retryAfter: state.msBeforeNext / 1000, headers: told(name, amounts[name], state) })
    }
  }
  return async (tier, person, address, points) => {
    const net = networkOf(address ?? '')
    const general = person ? await consume('general', person, points) : await consume('anonymous', net, points)
    return tier === 'general' ? general : consume(tier, net)
  }
}

/** The fields of draft-ietf-httpapi-ratelimit-headers. */
const told = (name: Name, quota: number, { remainingPoints, msBeforeNext }: RateLimiterRes): Told => ({
  'ratelimit-policy': `"${name}";q=${quota};w=${WINDOW}`,
  ratelimit: `"${name}";r=${remainingPoints};t=${Math.ceil(msBeforeNext / 1000)}`
})
