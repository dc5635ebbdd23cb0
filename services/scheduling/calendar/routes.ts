import { Elysia, t } from 'elysia'
import { bearer } from '#platform/caller'
import type { Needs } from '../app.ts'
import { newFeed, readFeed } from './feed.ts'

/** The secret calendar address of a person. */
export const calendarRoutes = ({ sql, verify, clock, publicUrl }: Needs) =>
  new Elysia({ name: 'calendar' })
    .get(
      '/v1/calendar-feed/:file',
      async ({ params, set }) => {
        const feed = await readFeed(sql, params.file, clock())
        set.headers['content-type'] = 'text/calendar; charset=utf-8'
        set.headers['cache-control'] = 'private, max-age=300'
        return feed
      },
      {
        params: t.Object({ file: t.String({ pattern: '^[A-Za-z0-9_-]{32}\\.ics$' }) }),
        detail: {
          summary: 'A subscribed calendar',
          description: 'The address is the secret; calendar programs send no token.',
          tags: ['Calendar']
        }
      }
    )
    .use(
      new Elysia({ name: 'new feed' })
        .use(bearer(verify, 'patient', 'doctor'))
        .post('/v1/calendar-feed', async ({ who, status }) => status(201, await newFeed(sql, who, publicUrl, clock())), {
          response: { 201: t.Object({ url: t.String() }) },
          detail: { summary: 'A new secret calendar address', tags: ['Calendar'] }
        })
    )
