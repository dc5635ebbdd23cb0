import { Elysia, t } from 'elysia'
import { about } from '#platform/docs/about'
import { ById, eg, PageOf, PageQuery, Reason } from '#platform/http/schema'
import { bearer } from '#platform/identity/caller'
import { Approval, doctorExample, Role, User } from '../accounts/model.ts'
import type { Needs } from '../app.ts'
import { approve, disable, enable, reject } from './decide.ts'
import { listUsers } from './list.ts'
import { resetMfa } from './reset-mfa.ts'

/** What admins do with accounts. */
export const adminRoutes = (needs: Needs) =>
  new Elysia({ name: 'admin', prefix: '/v1/admin', detail: { tags: ['Admin'] } })
    .use(bearer(needs.verify, 'admin'))
    .get('/users', ({ query }) => listUsers(needs.sql, needs.seal, query), {
      query: t.Object({
        role: t.Optional(Role),
        approval: t.Optional(Approval),
        q: t.Optional(t.String({ maxLength: 200, description: 'Part of a name or address, a CRM, or a whole CPF', examples: ['beatriz'] })),
        ...PageQuery
      }),
      response: { 200: PageOf(User) },
      detail: about({
        summary: 'List and search people',
        description:
          'Who registered last comes first. Capitals and accents do not matter in `q`; CPFs are masked in the answer whatever was asked.',
        answer: 'A page of people'
      })
    })
    .post('/doctors/:id/approve', ({ who, params }) => approve(needs, who.id, params.id, needs.clock()), {
      params: ById('doctor'),
      response: { 200: User },
      detail: about({
        summary: 'Approve a doctor',
        description:
          'The doctor is mailed, and can be found and booked once profile and hours are there. A rejected doctor may be approved later, unless somebody else has registered the CRM since (`crm_taken`); one who is approved already is not told twice.',
        answer: 'The doctor, now approved',
        example: { ...doctorExample, approval: 'approved' },
        problems: ['doctor_not_found', 'crm_taken']
      })
    })
    .post('/doctors/:id/reject', ({ who, params, body }) => reject(needs, who.id, params.id, body.reason, needs.clock()), {
      params: ById('doctor'),
      body: t.Object({ reason: eg(Reason, 'The CRM does not match the name', 'The doctor reads it in the mail') }),
      response: { 200: User },
      detail: about({
        summary: 'Reject a doctor',
        description:
          'The doctor is mailed the reason and can no longer be found or booked; appointments ahead are cancelled and their patients told. Every session ends, and the CRM is free for others to register. The person can still log in by e-mail address or CPF to read, export and erase the own account; everything else is `forbidden`. An approved doctor may be rejected later, too.',
        answer: 'The doctor, now rejected',
        example: { ...doctorExample, approval: 'rejected' },
        problems: ['doctor_not_found']
      })
    })
    .post('/users/:id/disable', ({ who, params }) => disable(needs, who.id, params.id, needs.clock()), {
      params: ById('user'),
      response: { 200: User },
      detail: about({
        summary: 'Disable an account and end its sessions',
        description:
          'Tokens stop working within 2 s and no log-in works. What lies ahead of a doctor is cancelled and the patients are told; a patient keeps the appointments. Nobody can disable the own account (`conflict`).',
        answer: 'The account, now disabled',
        example: { disabled: true },
        problems: ['conflict']
      })
    })
    .post('/users/:id/enable', ({ who, params }) => enable(needs, who.id, params.id, needs.clock()), {
      params: ById('user'),
      response: { 200: User },
      detail: about({
        summary: 'Enable an account again',
        description:
          'The person can log in again. Ended sessions and cancelled appointments do not come back; an account that is not disabled stays as it is.',
        answer: 'The account, enabled'
      })
    })
    .post('/users/:id/reset-mfa', ({ who, params, body }) => resetMfa(needs, who.id, params.id, body.reason, needs.clock()), {
      params: ById('user'),
      body: t.Object({ reason: eg(Reason, 'Lost the phone; identity checked at the counter', 'The person reads it in the email') }),
      response: { 200: User },
      detail: about({
        summary: "Remove a person's lost second factor",
        description:
          'The next login asks for no code, recovery codes are void, and the person gets an email with the reason. Check who asks before you do this. A person without a second factor stays as they are, and nothing is recorded. Nobody can do it for the own account (`conflict`).',
        answer: 'The account',
        problems: ['conflict']
      })
    })
