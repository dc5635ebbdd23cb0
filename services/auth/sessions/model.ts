import { type Static, t } from 'elysia'
import { Uuid } from '#platform/schema'
import { User } from '../accounts/model.ts'

/** What a log-in gives; `expiresIn` is in seconds. */
export const Tokens = t.Object({
  accessToken: t.String(),
  tokenType: t.Literal('Bearer'),
  expiresIn: t.Number({ examples: [600] }),
  refreshToken: t.String(),
  user: User
})
/** See `Tokens`. */
export type Tokens = Static<typeof Tokens>

/** The password was right, and the person has a second step. */
export const SecondStep = t.Object({ mfaRequired: t.Literal(true), mfaToken: t.String() })
/** See `SecondStep`. */
export type SecondStep = Static<typeof SecondStep>

/** One of the caller's open sessions. */
export const Session = t.Object({
  id: Uuid,
  createdAt: t.String(),
  lastUsedAt: t.String(),
  userAgent: t.Union([t.String(), t.Null()]),
  current: t.Boolean()
})
