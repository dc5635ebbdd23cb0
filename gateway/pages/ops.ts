import { Elysia, t } from 'elysia'
import { about } from '#platform/docs/about'
import { eg } from '#platform/http/schema'
import { bearer, type Verify } from '#platform/identity/caller'
import type { Service } from '../routes.ts'
import type { Upstream } from '../upstream/upstreams.ts'
import { escaped, page } from './html.ts'
import { opsWords } from './ops-words.ts'
import { type State, stateOf } from './state.ts'
import { languageOf } from './words.ts'

const count = (example: number, description?: string) => eg(t.Number({ minimum: 0 }), example, description)
const moment = (example: string, description?: string) => eg(t.String({ format: 'date-time' }), example, description)
const Process = t.Object({
  service: t.String({ examples: ['scheduling'] }),
  replica: t.Number({ minimum: 1, examples: [1] }),
  status: t.Union(
    ['up', 'degraded', 'draining', 'down'].map((status) => t.Literal(status)),
    { description: 'Draining: it ends when its work is done' }
  ),
  checks: t.Record(t.String(), t.String(), { description: 'What it needs, and whether that is there', examples: [{ database: 'up' }] }),
  version: t.Optional(t.String({ examples: ['0.1.0'] })),
  startedAt: t.Optional(moment('2027-01-04T08:00:00.000Z')),
  residentBytes: t.Optional(count(118_489_088)),
  cpuSeconds: t.Optional(count(412.6, 'Since the start')),
  lagSeconds: t.Optional(count(0.0012, 'By how much its event loop was late, the 99th percentile')),
  requests: t.Optional(count(15_204, 'Since the start')),
  serverErrors: t.Optional(count(0, 'Answers of 500 and above, since the start')),
  withinSeconds: t.Optional(
    t.Array(t.Array(t.Number()), {
      examples: [
        [
          [0.005, 14_100],
          [0.05, 15_180]
        ]
      ],
      description: 'How many requests took at most so many seconds, since the start'
    })
  )
})
const StateAnswer = t.Object({
  at: moment('2027-01-04T12:00:00.000Z'),
  processes: t.Array(Process),
  outbox: t.Array(t.Object({ service: t.String({ examples: ['scheduling'] }), waiting: count(0), oldestSeconds: count(0) }), {
    description: 'Events that are not at the broker yet'
  }),
  queues: t.Array(t.Object({ queue: t.String({ examples: ['notifier.events.v1'] }), messages: count(3) })),
  mails: t.Union([t.Object({ waiting: count(2), oldestSeconds: count(1.5), serverUp: t.Boolean() }), t.Null()], {
    description: 'Due and not sent; null where the notifier cannot tell'
  }),
  deadLetters: t.Union([count(0), t.Null()], { description: 'Null where the notifier cannot tell' })
})

/** How soon the same answer may be given to the next who asks: however many look, the services are asked once. */
const FRESH_MS = 900

/** `GET /ops/state`: the system at this moment, for administrators. */
export function opsState(upstreams: Record<Service, Upstream>, verify: Verify) {
  let last: { until: number; state: Promise<State> } | undefined
  const now = () => {
    if (!last || last.until < Date.now()) last = { until: Date.now() + FRESH_MS, state: stateOf(upstreams) }
    return last.state
  }
  return new Elysia({ name: 'ops-state' }).use(bearer(verify, 'admin')).get(
    '/ops/state',
    async ({ set }) => {
      set.headers['cache-control'] = 'no-store'
      return (await now()) as never
    },
    {
      response: { 200: StateAnswer },
      detail: about({
        summary: 'Processes, outbox, queues and mails at this moment',
        description:
          'What the page `/ops` shows. However many look, the processes are asked once in 0.9 s; one that does not answer within 1.5 s is `down` and tells nothing else.',
        tags: ['Operations'],
        answer: 'The state of the system'
      })
    }
  )
}

/** `/ops`: the same as a page, with dead letters and the last mails. It holds nothing until an administrator signs in on it. */
export const opsPage = new Elysia({ name: 'ops-page', detail: { hide: true } }).get('/ops', ({ request }) => {
  const language = languageOf(request.headers.get('accept-language'))
  const words = opsWords[language]
  return page({
    language,
    title: `${words.title} · Health&Med`,
    wide: true,
    styles: ['ops.css'],
    scripts: ['ops.js'],
    body: `<div id="ops" data-words="${escaped(JSON.stringify(words))}" data-language="${language}">
<h1>${escaped(words.title)}</h1>
<form id="sign-in">
<p class="lead">${escaped(words.lead)}</p>
<label>${escaped(words.identifier)}<input name="identifier" autocomplete="username" spellcheck="false" required></label>
<label>${escaped(words.password)}<input name="password" type="password" autocomplete="current-password" required></label>
<label hidden>${escaped(words.code)}<input name="code" autocomplete="one-time-code" inputmode="numeric"></label>
<button>${escaped(words.signIn)}</button>
</form>
<p class="outcome" role="status" aria-live="polite" hidden></p>
<div id="state" hidden>${['figures', 'processes', 'letters', 'mails'].map((id) => `<section id="${id}"></section>`).join('')}</div>
</div>`
  })
})
