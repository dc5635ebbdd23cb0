import { Elysia, t } from 'elysia'
import { about } from '#platform/docs/about'
import { eg, IdOf } from '#platform/http/schema'
import { bearer } from '#platform/identity/caller'
import { CurrentPassword, UnmaskedUser } from '../accounts/model.ts'
import type { Needs } from '../app.ts'
import { eraseMe } from './erase.ts'
import { exportMe } from './export.ts'

const at = '2027-01-04T12:00:00Z'
const partOf = (example: Record<string, unknown>, description?: string) => eg(t.Record(t.String(), t.Unknown()), example, description)
/** What another service tells; its own document says more of the fields. */
const foreign = (description: string, example: Record<string, unknown>) =>
  t.Unsafe<Record<string, unknown>>(t.Object({}, { additionalProperties: true, description, examples: [example] }))
const Session = partOf({
  id: '019b1a20-5d11-7e09-b7c4-0f3a6d2e8b91',
  userAgent: 'Mozilla/5.0 (X11; Linux x86_64)',
  createdAt: at,
  lastUsedAt: at,
  endedAt: null,
  endReason: null
})
const Export = t.Object({
  exportedAt: eg(t.String(), at),
  subjectId: IdOf('user'),
  auth: t.Object({
    account: UnmaskedUser,
    sessions: t.Array(Session),
    audit: t.Array(partOf({ at, action: 'logged_in', byYou: true }))
  }),
  scheduling: foreign('Appointments and places in line, and for doctors profile, hours and exceptions', {
    appointments: [],
    doctor: null,
    exceptions: [],
    waitlist: [{ doctorId: '019b0d5e-3c4f-7a31-9f0e-2f6f1f0c9a11', from: '2027-01-05', to: '2027-01-12', status: 'waiting', createdAt: at }]
  }),
  notifier: foreign('The address that mails go to, and the mails that were sent', {
    contact: { name: 'Ana Conceição', email: 'ana@example.com', locale: 'pt-BR', timezone: 'America/Sao_Paulo' },
    mails: [{ event: 'healthmed.user.verification_requested.v1', template: 'verify_email', status: 'sent', createdAt: at, sentAt: at }]
  })
})

/** A person's rights on their data, LGPD art. 18. */
export const privacyRoutes = (needs: Needs) =>
  new Elysia({ name: 'privacy', prefix: '/v1/auth/me', detail: { tags: ['Privacy'] } })
    .use(bearer(needs.verify))
    .get('/export', ({ who, request }) => exportMe(needs, who.id, request.headers.get('authorization') ?? '', needs.clock()), {
      response: { 200: Export },
      detail: about({
        summary: 'All that is held on me',
        description:
          'One JSON document of all services (LGPD art. 18), with nothing masked. Where one service cannot tell at the moment the whole is refused (503): an export that left something out in silence would be wrong.',
        answer: 'The export'
      })
    })
    .delete(
      '',
      async ({ who, body, request, set }) => {
        await eraseMe(needs, who, body.password, needs.clientOf(request), needs.clock())
        set.status = 202
      },
      {
        body: t.Object({ password: CurrentPassword }),
        response: { 202: t.Void() },
        detail: about({
          summary: 'Erase me',
          description:
            'Future appointments are cancelled and the other party is told; personal data is erased everywhere, the bare booking record stays. It cannot be undone; a last mail says so. The last admin cannot go (`conflict`).',
          answer: 'The account is gone; the other services follow within moments',
          problems: ['invalid_credentials', 'too_many_attempts', 'conflict']
        })
      }
    )
