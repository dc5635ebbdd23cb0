import { Elysia, t } from 'elysia'
import { about } from '#platform/docs/about'
import { hasTag } from '#platform/http/schema'
import { bearer } from '#platform/identity/caller'
import type { Needs } from '../needs.ts'
import { dropFeed, newFeed, readFeed } from './feed.ts'
import { calendarText } from './model.ts'

const Feed = t.Object({
  url: t.String({ examples: ['https://clinic.example/v1/calendar-feed/Zk3vQ9xW2rT7yB5nL1pD8sF4hJ6gC0aE.ics'] })
})

/** The secret calendar address of a person. */
export const calendarRoutes = ({ sql, verify, clock, publicUrl, organizer }: Needs) =>
  new Elysia({ name: 'calendar' })
    .get(
      '/v1/calendar-feed/:file',
      async ({ params, headers, set }) => {
        const known = (tag: string) => hasTag(headers['if-none-match'], tag)
        const { tag, text } = await readFeed(sql, params.file, { organizer, now: clock(), known })
        set.headers.etag = tag
        set.headers['cache-control'] = 'private, max-age=300'
        if (text === null) {
          set.status = 304
          return
        }
        set.headers['content-type'] = 'text/calendar; charset=utf-8'
        return text
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
            'The address is the secret; calendar programs send no token. All appointments ahead come first. Then come those ahead that were confirmed and then cancelled, and those of the last 90 days, the newest first, at most 500 of each. What ended without ever being confirmed is left out. No reason and no specialty is named. An address that was replaced or given up is not found.',
          tags: ['Calendar'],
          answer: 'The calendar',
          text: calendarText,
          takes: ['If-None-Match'],
          gives: ['ETag']
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
        .delete(
          '/v1/calendar-feed',
          async ({ who, set }) => {
            await dropFeed(sql, who)
            set.status = 204
          },
          {
            detail: about({
              summary: 'Give the secret calendar address up',
              description:
                'The address is not found any more. Calendar programs keep what they have read. Without an address nothing happens.',
              tags: ['Calendar'],
              answer: 'There is no address'
            })
          }
        )
    )
