import { Elysia, t } from 'elysia'
import { about } from '#platform/docs/about'
import type { Code as ProblemCode } from '#platform/http/problem'
import { ById, PageOf } from '#platform/http/schema'
import { bearer } from '#platform/identity/caller'
import { fromZero, problemAnswers } from '#platform/setup/metrics'
import { CurrentPassword } from '../accounts/model.ts'
import type { Needs } from '../app.ts'
import { finishLogin } from '../mfa/second-step.ts'
import { Code, MfaToken } from '../tokens/model.ts'
import { openSessions } from './list.ts'
import { login } from './login.ts'
import { endOne, logout } from './logout.ts'
import { RefreshToken, SecondStep, Session, Tokens } from './model.ts'
import { refresh } from './refresh.ts'

// watched by an alert, which the very first is to raise
fromZero(problemAnswers, { route: '/v1/auth/refresh', code: 'refresh_reused' })

const loginProblems: ProblemCode[] = ['invalid_credentials', 'too_many_attempts', 'account_disabled']

/** Logging in and out. */
export const sessionRoutes = (needs: Needs) => new Elysia({ name: 'sessions' }).use(openRoutes(needs)).use(ownRoutes(needs))

const openRoutes = (needs: Needs) =>
  new Elysia({ name: 'sessions-open', prefix: '/v1/auth', detail: { tags: ['Sessions'] } })
    .post('/login', ({ body, request }) => login(needs, body, needs.clientOf(request), needs.clock()), {
      body: t.Object({
        identifier: t.String({ minLength: 1, maxLength: 320, description: 'E-mail, CPF or CRM', examples: ['ana@example.com'] }),
        password: CurrentPassword
      }),
      response: { 200: t.Union([Tokens, SecondStep]) },
      detail: about({
        summary: 'Log in',
        description:
          'Where two-step log-in is on the answer is `mfaRequired` with a token for `POST /v1/auth/login/mfa`. Where the clinic requires it of the role and the person has none yet, the tokens are good only for the own account (`mfaEnrolmentRequired`); enrol it, then refresh. Whatever was wrong, the refusal is the same; after 10 failures in 15 minutes for one person from one client address, or 50 from one address, that address has to wait (`Retry-After`). After 100 failures in 24 hours for one person only a password reset by email gives access again. The person is mailed, at most once in 6 hours.',
        answer: 'The tokens of a new session, or the question for a code',
        problems: loginProblems
      })
    })
    .post('/login/mfa', ({ body, request }) => finishLogin(needs, body, needs.clientOf(request), needs.clock()), {
      body: t.Object({ mfaToken: MfaToken, code: Code }),
      response: { 200: Tokens },
      detail: about({
        summary: 'Finish a two-step log-in',
        description:
          'The code is one of the authenticator or a recovery code, and each works once. Wrong codes are counted by themselves, with the limits of wrong passwords; the `mfaToken` may be tried again within its 5 minutes.',
        answer: 'The tokens of a new session',
        problems: ['mfa_invalid', 'too_many_attempts', 'account_disabled']
      })
    })
    .post('/refresh', ({ body, request }) => refresh(needs, body.refreshToken, needs.clientOf(request), needs.clock()), {
      body: t.Object({ refreshToken: RefreshToken }),
      response: { 200: Tokens },
      detail: about({
        summary: 'Exchange a refresh token for the next pair',
        description:
          'Each refresh token is good once: a second use ends the whole session (`refresh_reused`), for one of the two users may be a thief. Only the same client may repeat a call within 10 s whose answer was lost.',
        answer: 'The next pair of tokens of the session',
        problems: ['refresh_reused', 'token_invalid', 'token_expired', 'token_revoked', 'account_disabled']
      })
    })

const ownRoutes = (needs: Needs) =>
  new Elysia({ name: 'sessions-own', prefix: '/v1/auth', detail: { tags: ['Sessions'] } })
    .use(bearer(needs.verify))
    .post(
      '/logout',
      async ({ who, set }) => {
        await logout(needs, who, needs.clock())
        set.status = 204
      },
      {
        response: { 204: t.Void() },
        detail: about({
          summary: 'End this session',
          description: 'Its refresh token is void at once, and its access token stops working within 2 s (`token_revoked`).',
          answer: 'The session has ended'
        })
      }
    )
    .post(
      '/logout-all',
      async ({ who, set }) => {
        await logout(needs, who, needs.clock(), { all: true })
        set.status = 204
      },
      {
        response: { 204: t.Void() },
        detail: about({
          summary: 'End all my sessions',
          description:
            'On every device, this one included: the access tokens stop working within 2 s, the refresh tokens at once. Event streams and the calendar feed end within 2 s as well.',
          answer: 'Every session has ended'
        })
      }
    )
    .get('/sessions', async ({ who }) => ({ items: await openSessions(needs.sql, who.id, who.sid, needs.clock()), nextCursor: null }), {
      response: { 200: PageOf(Session) },
      detail: about({
        summary: 'My open sessions',
        description: 'The one last used comes first, at most 100, in one page. A session is used when its tokens are refreshed.',
        answer: 'The open sessions',
        example: { nextCursor: null }
      })
    })
    .delete(
      '/sessions/:id',
      async ({ who, params, set }) => {
        await endOne(needs, who, params.id, needs.clock())
        set.status = 204
      },
      {
        params: ById('session'),
        response: { 204: t.Void() },
        detail: about({
          summary: 'End one of my sessions',
          description: 'It may be the one that asks. A session that has ended already, or is another person’s, is not found.',
          answer: 'The session has ended'
        })
      }
    )
