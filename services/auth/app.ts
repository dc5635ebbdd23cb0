import { Elysia } from 'elysia'
import type { Sql } from '#platform/data/db'
import { docs } from '#platform/docs/docs'
import { http, problems } from '#platform/http/app'
import type { ClientOf } from '#platform/http/client-address'
import { type Check, ops } from '#platform/http/health'
import type { Role, Verify } from '#platform/identity/caller'
import { accountRoutes } from './accounts/routes.ts'
import { adminRoutes } from './admin/routes.ts'
import { emailRoutes } from './email/routes.ts'
import { mfaRoutes } from './mfa/routes.ts'
import type { Passwords } from './passwords/hash.ts'
import type { Afterwards } from './passwords/reset.ts'
import { passwordRoutes } from './passwords/routes.ts'
import { privacyRoutes } from './privacy/routes.ts'
import type { Seal } from './privacy/seal.ts'
import { sessionRoutes } from './sessions/routes.ts'
import type { KeyRing } from './tokens/keys.ts'
import { tokenRoutes } from './tokens/routes.ts'

/** What the routes need; `peers` are the base URLs of the services that an export asks. */
export type Needs = {
  sql: Sql
  seal: Seal
  keys: KeyRing
  passwords: Passwords
  verify: Verify
  clock: () => Temporal.Instant
  clientOf: ClientOf
  afterwards: Afterwards
  doctorApproval: 'manual' | 'auto'
  emailVerification: 'required' | 'optional'
  /** Roles that need a second factor. */
  requireMfa: readonly Role[]
  peers: { scheduling: string; notifier: string }
  checks: Check[]
}

/** The auth service: people, passwords, sessions, signing keys. */
export const auth = (needs: Needs) =>
  new Elysia(http)
    .use(problems)
    .use(docs('Auth', 'People, how they log in, and what they may ask of their data.'))
    .use(ops(needs.checks))
    .use(accountRoutes(needs))
    .use(sessionRoutes(needs))
    .use(emailRoutes(needs))
    .use(passwordRoutes(needs))
    .use(mfaRoutes(needs))
    .use(privacyRoutes(needs))
    .use(adminRoutes(needs))
    .use(tokenRoutes(needs))
