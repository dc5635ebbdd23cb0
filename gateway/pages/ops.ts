import { Elysia, t } from 'elysia'
import { bearer, type Verify } from '#platform/caller'
import type { Service } from '../routes.ts'
import { type State, stateOf } from '../state.ts'
import type { Upstream } from '../upstreams.ts'
import { escaped, page } from './html.ts'
import { opsWords } from './ops-words.ts'
import { languageOf } from './words.ts'

const count = t.Number({ minimum: 0 })
const Process = t.Object({
  service: t.String({ examples: ['scheduling'] }),
  replica: t.Number({ minimum: 1 }),
  status: t.Union(['up', 'degraded', 'draining', 'down'].map((status) => t.Literal(status))),
  checks: t.Record(t.String(), t.String(), { description: 'What it needs, and whether that is there', examples: [{ database: 'up' }] }),
  version: t.Optional(t.String({ examples: ['0.1.0'] })),
  startedAt: t.Optional(t.String({ format: 'date-time' })),
  residentBytes: t.Optional(count),
  cpuSeconds: t.Optional(count),
  lagSeconds: t.Optional(count),
  requests: t.Optional(count),
  serverErrors: t.Optional(count),
  withinSeconds: t.Optional(
    t.Array(t.Array(t.Number()), { description: 'How many requests took at most so many seconds, since the start' })
  )
})
const StateAnswer = t.Object({
  at: t.String({ format: 'date-time' }),
  processes: t.Array(Process),
  outbox: t.Array(t.Object({ service: t.String(), waiting: count, oldestSeconds: count })),
  queues: t.Array(t.Object({ queue: t.String(), messages: count })),
  mails: t.Union([t.Object({ waiting: count, oldestSeconds: count, serverUp: t.Boolean() }), t.Null()]),
  deadLetters: t.Union([count, t.Null()])
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
      detail: { summary: 'Processes, outbox, queues and mails at this moment', tags: ['Operations'] }
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
