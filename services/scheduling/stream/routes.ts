import { Elysia, t } from 'elysia'
import { bearer } from '#platform/caller'
import type { Needs } from '../app.ts'
import { positionOf, streamOf } from './changes.ts'

/** The caller's appointment changes as they happen. */
export const streamRoutes = ({ sql, verify, changes }: Needs) =>
  new Elysia({ name: 'stream' }).use(bearer(verify, 'patient', 'doctor')).get(
    '/v1/events',
    async ({ who, headers }) => {
      const last = headers['last-event-id']
      const body = await streamOf(sql, changes, who.id, last === undefined ? undefined : positionOf(last), who.expiresAt * 1000)
      return new Response(body, {
        headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' }
      })
    },
    {
      headers: t.Object({ 'last-event-id': t.Optional(t.String({ pattern: '^\\d{1,18}-\\d{1,15}$' })) }, { additionalProperties: true }),
      detail: {
        summary: 'Live changes',
        description: 'Server-sent events (`text/event-stream`); `Last-Event-ID` brings what was missed.',
        tags: ['Appointments']
      }
    }
  )
