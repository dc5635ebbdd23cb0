import { Elysia, t } from 'elysia'
import { bearer } from '#platform/caller'
import { User } from '../accounts/model.ts'
import type { Needs } from '../app.ts'
import { eraseMe } from './erase.ts'
import { exportMe } from './export.ts'

const Part = t.Record(t.String(), t.Unknown())
const Export = t.Object({
  exportedAt: t.String(),
  subjectId: t.String(),
  auth: t.Object({
    account: t.Composite([t.Omit(User, ['cpf']), t.Object({ cpf: t.Union([t.String(), t.Null()]) })]),
    sessions: t.Array(Part),
    audit: t.Array(Part)
  }),
  scheduling: t.Unsafe<Record<string, unknown>>(
    t.Object(
      {},
      { additionalProperties: true, description: 'Appointments with their history, and for doctors profile, hours and exceptions' }
    )
  ),
  notifier: t.Unsafe<Record<string, unknown>>(
    t.Object({}, { additionalProperties: true, description: 'The address that mails go to, and the mails that were sent' })
  )
})

/** A person's rights on their data, LGPD art. 18. */
export const privacyRoutes = (needs: Needs) =>
  new Elysia({ name: 'privacy', prefix: '/v1/auth/me', detail: { tags: ['Privacy'] } })
    .use(bearer(needs.verify))
    .get('/export', ({ who, request }) => exportMe(needs, who.id, request.headers.get('authorization') ?? '', needs.clock()), {
      response: { 200: Export },
      detail: { summary: 'All that is held on me', 'x-problems': ['upstream_unavailable'] } as object
    })
    .delete(
      '',
      async ({ who, body, request, set }) => {
        await eraseMe(needs, who.id, body.password, needs.clientOf(request), needs.clock())
        set.status = 202
      },
      {
        body: t.Object({ password: t.String({ minLength: 1, maxLength: 1024 }) }),
        response: { 202: t.Void() },
        detail: {
          summary: 'Erase me',
          description:
            'Future appointments are cancelled and the other party is told; personal data is erased everywhere, the bare booking record stays.',
          'x-problems': ['invalid_credentials', 'too_many_attempts', 'conflict']
        } as object
      }
    )
