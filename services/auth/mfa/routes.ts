import { Elysia, t } from 'elysia'
import { about } from '#platform/docs/about'
import { OptionalBody } from '#platform/http/schema'
import { bearer } from '#platform/identity/caller'
import { CurrentPassword } from '../accounts/model.ts'
import type { Needs } from '../app.ts'
import { Code } from '../tokens/model.ts'
import { activateTotp, removeTotp, startTotp } from './enrol.ts'

const Secret = t.Object({
  secret: t.String({ examples: ['JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP'], description: 'Base32, for typing in' }),
  otpauthUri: t.String({
    examples: ['otpauth://totp/Health%26Med:ana%40example.com?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Health%26Med'],
    description: 'The same for a QR code'
  })
})
const Enrolment = OptionalBody(t.Object({ password: t.Optional(CurrentPassword) }))
const RecoveryCodes = t.Object({
  recoveryCodes: t.Array(t.String(), {
    examples: [['7hk2m-x9qwe', 'b4tzn-3vpr8']],
    description: 'Ten, each good for one log-in without the authenticator'
  })
})

/** Two-step log-in with an authenticator program. */
export const mfaRoutes = (needs: Needs) =>
  new Elysia({ name: 'mfa', prefix: '/v1/auth/mfa', detail: { tags: ['Two-step log-in'] } })
    .use(bearer(needs.verify))
    .post(
      '/totp',
      async ({ who, body, request, status }) =>
        status(201, await startTotp(needs, who, body?.password, needs.clientOf(request), needs.clock())),
      {
        body: Enrolment,
        response: { 201: Secret },
        detail: about({
          summary: 'Begin with an authenticator',
          description:
            'Nothing changes for log-ins until `activate` has seen a first code; calling again makes another secret in place of this one. It takes the password (422 with the path `/password` where it is missing); only a session that was opened in the last five minutes does without, since the password was just given. Where two-step log-in is on already it is a `conflict`.',
          answer: 'The secret, shown this once',
          problems: ['conflict', 'invalid_credentials', 'too_many_attempts']
        })
      }
    )
    .post('/totp/activate', ({ who, body, request }) => activateTotp(needs, who, body.code, needs.clientOf(request), needs.clock()), {
      body: t.Object({ code: Code }),
      response: { 200: RecoveryCodes },
      detail: about({
        summary: 'Turn two-step log-in on with the first code',
        description:
          'The person gets an email. From now on a login asks for a code of 6 digits (one step of 30 s of clock drift is borne, and no code works twice). After ten wrong codes in 15 minutes from one address the second factor has to wait.',
        answer: 'Ten recovery codes, shown this once',
        problems: ['mfa_invalid', 'conflict', 'too_many_attempts']
      })
    })
    .delete(
      '/totp',
      async ({ who, body, request, set }) => {
        await removeTotp(needs, who, body, needs.clientOf(request), needs.clock())
        set.status = 204
      },
      {
        body: t.Object({ password: t.String({ maxLength: 1024, examples: CurrentPassword.examples }), code: Code }),
        response: { 204: t.Void() },
        detail: about({
          summary: 'Turn two-step log-in off',
          description:
            'It takes the password and a code of the authenticator or a recovery code. The remaining recovery codes are void, and the person gets an email.',
          answer: 'Two-step log-in is off',
          problems: ['mfa_invalid', 'invalid_credentials', 'too_many_attempts']
        })
      }
    )
