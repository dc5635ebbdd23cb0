import { Elysia, t } from 'elysia'
import { about } from '#platform/docs/about'
import { bearer } from '#platform/identity/caller'
import type { Needs } from '../needs.ts'
import { positionOf, streamOf } from './changes.ts'

const Headers = t.Object(
  {
    'last-event-id': t.Optional(
      t.String({
        pattern: '^\\d{1,18}-\\d{1,15}$',
        examples: ['88231-42'],
        description: 'The `id` of the last event that was heard: the stream goes on after it'
      })
    )
  },
  { additionalProperties: true }
)
const example = `retry: 2000

id: 88231-42
event: appointment
data: {"appointmentId":"019b1a2c-0f3e-7b58-a1c6-94d2e7b30c35","action":"confirm","status":"confirmed","version":2,"at":"2027-01-04T12:15:00Z"}

`

/** The caller's appointment changes as they happen. */
export const streamRoutes = ({ sql, verify, endWith, changes }: Needs) =>
  new Elysia({ name: 'stream' }).use(bearer(verify, 'patient', 'doctor')).get(
    '/v1/events',
    async ({ who, headers }) => {
      const last = headers['last-event-id']
      const heard = last === undefined ? undefined : positionOf(last)
      const body = await streamOf(sql, changes, who.id, heard, {
        at: who.expiresAt * 1000,
        withSession: (end) => endWith(who.sid, end)
      })
      return new Response(body, {
        headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' }
      })
    },
    {
      headers: Headers,
      detail: about({
        summary: 'Live changes',
        description:
          'Server-sent events: one `appointment` for every change of an appointment of the caller’s, and a comment every 15 s. It ends with the access token, and within 2 s of the end of its session; come again with a fresh one and `Last-Event-ID`, which brings what was missed.',
        tags: ['Appointments'],
        answer: 'The stream, open until the token or the session ends or somebody leaves',
        text: { type: 'text/event-stream', example }
      })
    }
  )
