import { Elysia, t } from 'elysia'
import { about } from '#platform/docs/about'
import { eg } from '#platform/http/schema'
import { bearer } from '#platform/identity/caller'
import { CurrentPassword, Password } from '../accounts/model.ts'
import type { Needs } from '../app.ts'
import { MailToken } from '../tokens/model.ts'
import { changePassword } from './change.ts'
import { forgot, resetPassword } from './reset.ts'

const NewPassword = eg(Password, 'cinco gatos dormem no telhado')

/** Passwords that are forgotten, reset and changed. */
export const passwordRoutes = (needs: Needs) =>
  new Elysia({ name: 'passwords', prefix: '/v1/auth/password', detail: { tags: ['Passwords'] } })
    .post(
      '/forgot',
      ({ body, set }) => {
        forgot(needs, body.email, needs.clock())
        set.status = 202
      },
      {
        body: t.Object({
          email: t.String({ minLength: 3, maxLength: 320, pattern: '^\\s*\\S+@\\S+\\s*$', examples: ['ana@example.com'] })
        }),
        response: { 202: t.Void() },
        detail: about({
          summary: 'Ask for a mail to set a new password',
          description:
            'The answer and its time are the same whether there is such an account or not. The link of the mail is good once and for 30 minutes; nobody is sent more than five in an hour.',
          answer: 'If there is such an account, a mail is on its way'
        })
      }
    )
    .post(
      '/reset',
      async ({ body, set }) => {
        await resetPassword(needs, body, needs.clock())
        set.status = 204
      },
      {
        body: t.Object({ token: MailToken, newPassword: NewPassword }),
        response: { 204: t.Void() },
        detail: about({
          summary: 'Set a new password with the token of the mail',
          description:
            'Every session of the person ends, failed attempts are forgotten and every lock of the account is lifted, and the address counts as verified, for the mail has arrived. Where it was not verified before, a second factor that was set up is removed. The calendar feed is void. A weak password does not use the token up.',
          answer: 'The new password is set',
          problems: ['mail_token_invalid', 'weak_password']
        })
      }
    )
    .use(bearer(needs.verify))
    .post(
      '/change',
      async ({ body, who, request, set }) => {
        await changePassword(needs, who, body, needs.clientOf(request), needs.clock())
        set.status = 204
      },
      {
        body: t.Object({ currentPassword: CurrentPassword, newPassword: NewPassword }),
        response: { 204: t.Void() },
        detail: about({
          summary: 'Change my password',
          description:
            'Every other session ends, and links that were mailed to reset it or to change the address are void; the session that asks goes on. A wrong `currentPassword` counts: ten in 15 minutes from one address close this call for a while, and not the login.',
          answer: 'The new password is set',
          problems: ['invalid_credentials', 'weak_password', 'too_many_attempts']
        })
      }
    )
