import { Elysia } from 'elysia'
import { bearer } from '#platform/caller'
import type { Needs } from '../app.ts'
import { changeMe, readMe } from './change.ts'
import { AccountChange, DoctorWish, PatientWish, User } from './model.ts'
import { register } from './register.ts'

const registrationProblems = ['invalid_cpf', 'invalid_timezone', 'weak_password', 'email_taken', 'cpf_taken', 'too_many_attempts']

/** Registering, and the caller's own account. */
export const accountRoutes = (needs: Needs) =>
  new Elysia({ name: 'accounts', prefix: '/v1/auth', detail: { tags: ['Accounts'] } })
    .post(
      '/patients',
      async ({ body, request, status }) => status(201, await register(needs, body, needs.clientOf(request), needs.clock())),
      {
        body: PatientWish,
        response: { 201: User },
        detail: { summary: 'Register as a patient', 'x-problems': registrationProblems } as object
      }
    )
    .post(
      '/doctors',
      async ({ body, request, status }) => status(201, await register(needs, body, needs.clientOf(request), needs.clock())),
      {
        body: DoctorWish,
        response: { 201: User },
        detail: {
          summary: 'Register as a doctor',
          description:
            'A new doctor is pending: profile and hours can be filled in, but nobody finds or books the doctor before an admin approves.',
          'x-problems': [...registrationProblems, 'invalid_crm', 'crm_taken']
        } as object
      }
    )
    .use(bearer(needs.verify))
    .get('/me', ({ who }) => readMe(needs, who.id), { response: { 200: User }, detail: { summary: 'My account' } })
    .patch('/me', ({ who, body }) => changeMe(needs, who.id, body, needs.clock()), {
      body: AccountChange,
      response: { 200: User },
      detail: { summary: 'Change my account', 'x-problems': ['invalid_timezone'] } as object
    })
