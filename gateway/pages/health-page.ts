import { escaped, page } from './html.ts'
import { languageOf, words } from './words.ts'

type State = 'up' | 'degraded' | 'down'
const sign: Record<State, string> = { up: '✓', degraded: '!', down: '✕' }

/** The health of the system as a page for people, with the status of the JSON answer. A state is a sign and a word, never a colour alone. */
export function healthPage(
  health: { status: State; services: Record<'auth' | 'scheduling' | 'notifier', State> },
  request: Request
): Response {
  const language = languageOf(request.headers.get('accept-language'))
  const { title, at, states, overall, parts } = words[language].health
  const badge = (state: State) =>
    `<span class="state ${state}"><span aria-hidden="true">${sign[state]}</span> ${escaped(states[state])}</span>`
  const rows = (['scheduling', 'auth', 'notifier'] as const).map(
    (name) => `<li>${escaped(parts[name])} ${badge(health.services[name])}</li>`
  )
  const answer = page({
    title: `${title} · Health&Med`,
    status: health.status === 'down' ? 503 : 200,
    language,
    body: `<h1>${escaped(title)}</h1>
<p class="lead">${escaped(overall[health.status])}</p>
<ul class="states">
${rows.join('\n')}
</ul>
<p class="quiet">${escaped(at)} ${new Date().toISOString().slice(11, 19)} UTC</p>`
  })
  answer.headers.set('cache-control', 'no-store')
  return answer
}
