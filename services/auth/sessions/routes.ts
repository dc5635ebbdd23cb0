import { Elysia, t } from 'elysia'
import { bearer } from '#platform/caller'
import { fromZero, problemAnswers } from '#platform/metrics'
import { PageOf, Uuid } from '#platform/schema'
import type { Needs } from '../app.ts'
import { finishLogin } from '../mfa/second-step.ts'
import { endOne, logout } from './leave.ts'
import { openSessions } from './list.ts'
import { login } from './login.ts'
import { SecondStep, Session, Tokens } from './model.ts'
import { refresh } from './refresh.ts'

// watched by an alert, which the very first is to raise
fromZero(problemAnswers, { route: '/v1/auth/refresh', code: 'refresh_reused' })

const loginProblems = ['invalid_credentials', 'too_many_attempts', 'account_disabled']

/** Logging in and out. */
export const sessionRoutes = (needs: Needs) => new Elysia({ name: 'sessions' }).use(openRoutes(needs)).use(ownRoutes(needs))

const openRoutes = (needs: Needs) =>
  new Elysia({ name: 'sessions-open', prefix: '/v1/auth', detail: { tags: ['Sessions'] } })
    .post('/login', ({ body, request }) => login(needs, body, needs.clientOf(request), needs.clock()), {
      body: t.Object({
        identifier: t.String({ minLength: 1, maxLength: 320, description: 'E-mail, CPF or CRM', examples: ['ana@example.com'] }),
        password: t.String({ minLength: 1, maxLength: 1024 })
      }),
      response: { 200: t.Union([Tokens, SecondStep]) },
      detail: { summary: 'Log in', 'x-problems': loginProblems } as object
    })
    .post('/login/mfa', ({ body, request }) => finishLogin(needs, body, needs.clientOf(request), needs.clock()), {
      body: t.Object({ mfaToken: t.String({ maxLength: 256 }), code: t.String({ minLength: 1, maxLength: 64, examples: ['123456'] }) }),
      response: { 200: Tokens },
      detail: { summary: 'Finish a two-step log-in', 'x-problems': ['mfa_invalid', 'too_many_attempts', 'account_disabled'] } as object
    })
    .post('/refresh', ({ body, request }) => refresh(needs, body.refreshToken, needs.clientOf(request), needs.clock()), {
      body: t.Object({ refreshToken: t.String({ minLength: 1, maxLength: 512 }) }),
      response: { 200: Tokens },
      detail: {
        summary: 'Exchange a refresh token for the next pair',
        'x-problems': ['refresh_reused', 'token_invalid', 'token_expired', 'token_revoked', 'account_disabled']
      } as object
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
      { response: { 204: t.Void() }, detail: { summary: 'End this session' } }
    )
    .post(
      '/logout-all',
      async ({ who, set }) => {
        await logout(needs, who, needs.clock(), { all: true })
        set.status = 204
      },
      { response: { 204: t.Void() }, detail: { summary: 'End all my sessions' } }
    )
    .get('/sessions', async ({ who }) => ({ items: await openSessions(needs.sql, who.id, who.sid, needs.clock()), nextCursor: null }), {
      response: { 200: PageOf(Session) },
      detail: { summary: 'My open sessions' }
    })
    .delete(
      '/sessions/:id',
      async ({ who, params, set }) => {
        await endOne(needs, who, params.id, needs.clock())
        set.status = 204
      },
      {
        params: t.Object({ id: Uuid }),
        response: { 204: t.Void() },
        detail: { summary: 'End one of my sessions', 'x-problems': ['not_found'] } as object
      }
    )
