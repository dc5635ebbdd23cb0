import { Elysia, t } from 'elysia'
import { bearer } from '#platform/caller'
import type { Needs } from '../app.ts'
import { resend, verifyEmail } from './verify.ts'

/** Proof that an e-mail address is the person's own. */
export const emailRoutes = (needs: Needs) =>
  new Elysia({ name: 'email', prefix: '/v1/auth/email', detail: { tags: ['E-mail'] } })
    .post(
      '/verify',
      async ({ body, set }) => {
        await verifyEmail(needs, body.token, needs.clock())
        set.status = 204
      },
      {
        body: t.Object({ token: t.String({ maxLength: 256 }) }),
        response: { 204: t.Void() },
        detail: { summary: 'Verify an address with the token of the mail', 'x-problems': ['mail_token_invalid'] } as object
      }
    )
    .use(bearer(needs.verify))
    .post(
      '/resend',
      async ({ who, set }) => {
        await resend(needs, who.id, needs.clock())
        set.status = 202
      },
      { response: { 202: t.Void() }, detail: { summary: 'Send the verification mail again' } }
    )
