import { Elysia, t } from 'elysia'
import { bearer } from '#platform/caller'
import { Password } from '../accounts/model.ts'
import type { Needs } from '../app.ts'
import { changePassword } from './change.ts'
import { forgot, resetPassword } from './reset.ts'

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
        detail: { summary: 'Ask for a mail to set a new password' }
      }
    )
    .post(
      '/reset',
      async ({ body, request, set }) => {
        await resetPassword(needs, body, needs.clientOf(request), needs.clock())
        set.status = 204
      },
      {
        body: t.Object({ token: t.String({ maxLength: 256 }), newPassword: Password }),
        response: { 204: t.Void() },
        detail: {
          summary: 'Set a new password with the token of the mail',
          'x-problems': ['mail_token_invalid', 'weak_password']
        } as object
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
        body: t.Object({ currentPassword: t.String({ minLength: 1, maxLength: 1024 }), newPassword: Password }),
        response: { 204: t.Void() },
        detail: { summary: 'Change my password', 'x-problems': ['invalid_credentials', 'weak_password', 'too_many_attempts'] } as object
      }
    )
