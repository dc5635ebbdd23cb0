import { Elysia, t } from 'elysia'
import { bearer } from '#platform/caller'
import type { Needs } from '../app.ts'
import { activateTotp, removeTotp, startTotp } from './enrol.ts'

const Code = t.String({ minLength: 1, maxLength: 64, examples: ['123456'] })

/** Two-step log-in with an authenticator program. */
export const mfaRoutes = (needs: Needs) =>
  new Elysia({ name: 'mfa', prefix: '/v1/auth/mfa', detail: { tags: ['Two-step log-in'] } })
    .use(bearer(needs.verify))
    .post('/totp', async ({ who, status }) => status(201, await startTotp(needs, who, needs.clock())), {
      response: { 201: t.Object({ secret: t.String(), otpauthUri: t.String() }) },
      detail: { summary: 'Begin with an authenticator', 'x-problems': ['conflict'] } as object
    })
    .post('/totp/activate', ({ who, body, request }) => activateTotp(needs, who, body.code, needs.clientOf(request), needs.clock()), {
      body: t.Object({ code: Code }),
      response: { 200: t.Object({ recoveryCodes: t.Array(t.String()) }) },
      detail: {
        summary: 'Turn two-step log-in on with the first code',
        'x-problems': ['mfa_invalid', 'conflict', 'too_many_attempts']
      } as object
    })
    .delete(
      '/totp',
      async ({ who, body, request, set }) => {
        await removeTotp(needs, who, body, needs.clientOf(request), needs.clock())
        set.status = 204
      },
      {
        body: t.Object({ password: t.String({ maxLength: 1024 }), code: Code }),
        response: { 204: t.Void() },
        detail: { summary: 'Turn two-step log-in off', 'x-problems': ['mfa_invalid', 'invalid_credentials', 'too_many_attempts'] } as object
      }
    )
