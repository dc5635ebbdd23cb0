import { Elysia, t } from 'elysia'
import { about } from '#platform/docs/about'
import { eg } from '#platform/http/schema'
import { bearer } from '#platform/identity/caller'
import { CurrentPassword, EmailAddress } from '../accounts/model.ts'
import type { Needs } from '../app.ts'
import { MailToken } from '../tokens/model.ts'
import { askToChange } from './change.ts'
import { resend, verifyEmail } from './verify.ts'

/** Proof that an email address is the person's own, and its change. */
export const emailRoutes = (needs: Needs) => new Elysia({ name: 'email' }).use(proofRoutes(needs)).use(changeRoutes(needs))

const changeRoutes = (needs: Needs) =>
  new Elysia({ name: 'email-change', prefix: '/v1/auth/me', detail: { tags: ['E-mail'] } }).use(bearer(needs.verify)).post(
    '/email',
    async ({ who, body, request, set }) => {
      await askToChange(needs, who, body, needs.clientOf(request), needs.clock())
      set.status = 202
    },
    {
      body: t.Object({ email: eg(EmailAddress, 'ana.nova@example.com'), password: CurrentPassword }),
      response: { 202: t.Void() },
      detail: about({
        summary: 'Change my email address',
        description:
          'A token goes to the new address and a notice to the old one. The address changes when the token is sent to `POST /v1/auth/email/verify`; until then the old one stays. Only the last request counts, for 24 hours; at most five in an hour (`rate_limited`). A password change or reset voids it. Your current address is accepted and changes nothing.',
        answer: 'The emails are on their way',
        problems: ['invalid_credentials', 'too_many_attempts', 'email_taken']
      })
    }
  )

const proofRoutes = (needs: Needs) =>
  new Elysia({ name: 'email-proof', prefix: '/v1/auth/email', detail: { tags: ['E-mail'] } })
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
            'The token is good once and for 24 hours, and needs no login. The first proof of an address ends what was set up before it, by whomever: every session (log in again; older tokens stop working within 2 s), a second factor, and the calendar feed. Booking is open within moments. The token of a change of address (`POST /v1/auth/me/email`) puts the new address in place of the old one, ends every session and the feed, and keeps a second factor.',
          answer: 'The address is verified',
          problems: ['mail_token_invalid', 'email_taken']
        })
      }
    )
    .use(bearer(needs.verify))
    .post(
      '/resend',
      async ({ who, set }) => {
        await resend(needs, who, needs.clock())
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
