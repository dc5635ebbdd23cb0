import { Elysia, t } from 'elysia'
import { bearer } from '#platform/caller'
import { about } from '#platform/docs-about'
import type { Needs } from '../app.ts'
import { newFeed, readFeed } from './feed.ts'
import { calendarText } from './model.ts'

const Feed = t.Object({
  url: t.String({ examples: ['https://clinic.example/v1/calendar-feed/Zk3vQ9xW2rT7yB5nL1pD8sF4hJ6gC0aE.ics'] })
})

/** The secret calendar address of a person. */
export const calendarRoutes = ({ sql, verify, clock, publicUrl, organizer }: Needs) =>
  new Elysia({ name: 'calendar' })
    .get(
      '/v1/calendar-feed/:file',
      async ({ params, set }) => {
        const feed = await readFeed(sql, params.file, organizer, clock())
        set.headers['content-type'] = 'text/calendar; charset=utf-8'
        set.headers['cache-control'] = 'private, max-age=300'
        return feed
      },
      {
        params: t.Object({
          file: t.String({
            pattern: '^[A-Za-z0-9_-]{32}\\.ics$',
            examples: ['Zk3vQ9xW2rT7yB5nL1pD8sF4hJ6gC0aE.ics'],
            description: 'The secret, as `POST /v1/calendar-feed` gave it'
          })
        }),
        detail: about({
          summary: 'A subscribed calendar',
          description:
            'The address is the secret; calendar programs send no token. It has the person’s appointments from 90 days ago on, at most 1000, and names no reason and no specialty. An address that was replaced is not found.',
          tags: ['Calendar'],
          answer: 'The calendar',
          text: calendarText
        })
      }
    )
    .use(
      new Elysia({ name: 'new feed' })
        .use(bearer(verify, 'patient', 'doctor'))
        .post('/v1/calendar-feed', async ({ who, status }) => status(201, await newFeed(sql, who, publicUrl, clock())), {
          response: { 201: Feed },
          detail: about({
            summary: 'A new secret calendar address',
            description:
              'For calendar programs to subscribe to. It is shown this once, and the address before is void: call again to lock out whoever knows it.',
            tags: ['Calendar'],
            answer: 'The address'
          })
        })
    )
