import { Elysia, t } from 'elysia'
import { bearer } from '#platform/caller'
import { about } from '#platform/docs-about'
import type { Needs } from '../app.ts'
import { MailToken } from '../tokens/model.ts'
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
        body: t.Object({ token: MailToken }),
        response: { 204: t.Void() },
        detail: about({
          summary: 'Verify an address with the token of the mail',
          description:
            'The token is good once and for 24 hours, and needs no login. The first proof of an address ends what was set up before it, by whomever: every session (log in again; older tokens stop working within 2 s), a second factor, and the calendar feed. Booking is open within moments.',
          answer: 'The address is verified',
          problems: ['mail_token_invalid']
        })
      }
    )
    .use(bearer(needs.verify))
    .post(
      '/resend',
      async ({ who, set }) => {
        await resend(needs, who.id, needs.clock())
        set.status = 202
      },
      {
        response: { 202: t.Void() },
        detail: about({
          summary: 'Send the verification mail again',
          description:
            'At most five in an hour (`rate_limited`); earlier links stay good for their 24 hours. Where the address is verified already nothing is sent.',
          answer: 'The mail is on its way'
        })
      }
    )
