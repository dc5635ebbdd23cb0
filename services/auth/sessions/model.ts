import { type Static, t } from 'elysia'
import { eg, IdOf, Instant } from '#platform/http/schema'
import { User } from '../accounts/model.ts'
import { MfaToken } from '../tokens/model.ts'

/** What the next pair of tokens is asked for with. */
export const RefreshToken = t.String({
  minLength: 1,
  maxLength: 512,
  examples: ['019b1a20-5d12-7b3c-a0f8-6e9d2c4b7a15.Qw7eR5tY3uI1oP9aS8dF6gH4jK2lZ0xCvBn-mQ1wE3r'],
  description: 'Opaque, single use; good for 30 days, a session for 90'
})

/** What a log-in gives; `expiresIn` is in seconds. */
export const Tokens = t.Object({
  accessToken: t.String({
    examples: ['eyJhbGciOiJFZERTQSIsImtpZCI6IjIwMjctMDEifQ.eyJzdWIiOiIwMTliMGQ2MSJ9.c2lnbmF0dXJl'],
    description: 'For `Authorization: Bearer`'
  }),
  tokenType: t.Literal('Bearer'),
  expiresIn: t.Number({ examples: [600], description: 'Seconds until the access token ends' }),
  refreshToken: RefreshToken,
  user: User,
  mfaEnrolmentRequired: t.Optional(
    t.Literal(true, {
      description:
        'Only where the role needs a second factor (REQUIRE_MFA) and the person has none: until it is enrolled, the token is good for the own account alone, and all else answers `mfa_enrolment_required`'
    })
  )
})
/** See `Tokens`. */
export type Tokens = Static<typeof Tokens>

/** The password was right, and the person has a second step. */
export const SecondStep = t.Object({ mfaRequired: t.Literal(true), mfaToken: MfaToken })
/** See `SecondStep`. */
export type SecondStep = Static<typeof SecondStep>

/** One of the caller's open sessions. */
export const Session = t.Object({
  id: IdOf('session'),
  createdAt: eg(Instant, '2027-01-04T12:00:00Z'),
  lastUsedAt: eg(Instant, '2027-01-05T08:41:07Z'),
  userAgent: t.Union([t.String(), t.Null()], { examples: ['Mozilla/5.0 (X11; Linux x86_64)'] }),
  current: t.Boolean({ description: 'Whether it is the one that asks' })
})
