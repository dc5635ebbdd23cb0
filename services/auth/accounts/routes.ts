import { Elysia } from 'elysia'
import { about } from '#platform/docs/about'
import type { Code } from '#platform/http/problem'
import { bearer } from '#platform/identity/caller'
import type { Needs } from '../app.ts'
import { changeMe, readMe } from './change.ts'
import { AccountChange, DoctorWish, doctorExample, PatientWish, User } from './model.ts'
import { register } from './register.ts'

const registrationProblems: Code[] = ['invalid_cpf', 'invalid_timezone', 'weak_password', 'email_taken', 'cpf_taken', 'too_many_attempts']

/** Registering, and the caller's own account. */
export const accountRoutes = (needs: Needs) =>
  new Elysia({ name: 'accounts', prefix: '/v1/auth', detail: { tags: ['Accounts'] } })
    .post(
      '/patients',
      async ({ body, request, status }) => status(201, await register(needs, body, needs.clientOf(request), needs.clock())),
      {
        body: PatientWish,
        response: { 201: User },
        detail: about({
          summary: 'Register as a patient',
          description:
            'A mail with a link to verify the address goes out; until that is done the patient can log in, but not book, and after seven days the account is deleted (unless the clinic waives verification). The first proof of the address ends the sessions from before. Who meets taken addresses, CPFs or CRMs 50 times in 15 minutes has to wait.',
          answer: 'The new account, with its CPF masked',
          example: { emailVerified: false },
          problems: registrationProblems
        })
      }
    )
    .post(
      '/doctors',
      async ({ body, request, status }) => status(201, await register(needs, body, needs.clientOf(request), needs.clock())),
      {
        body: DoctorWish,
        response: { 201: User },
        detail: about({
          summary: 'Register as a doctor',
          description:
            'A new doctor is pending: profile and hours can be filled in, but nobody finds or books the doctor before an admin approves. CRMs are the same where number and state are, in whatever spelling.',
          answer: 'The new account, with its CPF masked',
          example: { ...doctorExample, emailVerified: false, approval: 'pending' },
          problems: [...registrationProblems, 'invalid_crm', 'crm_taken']
        })
      }
    )
    .use(bearer(needs.verify))
    .get('/me', ({ who }) => readMe(needs, who.id), {
      response: { 200: User },
      detail: about({
        summary: 'My account',
        description:
          'The account of whoever asks, as it is stored now: newer than what the token says. The CPF is masked; the export has it whole.',
        answer: 'The account'
      })
    })
    .patch('/me', ({ who, body }) => changeMe(needs, who, body, needs.clock()), {
      body: AccountChange,
      response: { 200: User },
      detail: about({
        summary: 'Change my account',
        description:
          'What is left out stays; a phone of null is taken away. Mails speak the new language and zone from then on, and the other services learn of a new name within moments. The email address is changed with `POST /v1/auth/me/email`; CPF and CRM cannot be changed.',
        answer: 'The account as it is now',
        problems: ['invalid_timezone']
      })
    })
