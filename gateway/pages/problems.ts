import { Elysia, t } from 'elysia'
import { about } from '#platform/docs/about'
import { Problem } from '#platform/http/problem'
import { escaped, page, wantsPage } from './html.ts'
import { type ProblemText, problemTexts } from './problem-words.ts'
import { languageOf, words } from './words.ts'

const Entry = t.Object({
  code: t.String({ examples: ['slot_taken'], description: 'Stable; what programs go by' }),
  statuses: t.Array(t.Integer(), { examples: [[409]], description: 'One, but for `token_invalid`' }),
  title: t.String({ examples: ['Somebody else has this slot'] })
})

const entryOf = ({ code, statuses, titles }: ProblemText) => ({ code, statuses, title: titles.join('; ') })
const entries = problemTexts('en').map(entryOf)

/** The pages that the `type` of a problem leads to: a page for people, JSON for programs. */
export const problemPages = new Elysia({ name: 'problem-pages' })
  .get('/problems', ({ request }) => (wantsPage(request) ? (listPage(request) as never) : { items: entries }), {
    response: { 200: t.Object({ items: t.Array(Entry) }) },
    detail: about({
      summary: 'Every code that a problem can have',
      description: 'With status and meaning, in one list. With `Accept: text/html` it is a page for people.',
      tags: ['Problems'],
      answer: 'All codes'
    })
  })
  .get(
    '/problems/:code',
    ({ params, request }) => {
      if (wantsPage(request)) return entryPage(params.code, request) as never
      const entry = entries.find(({ code }) => code === params.code)
      if (!entry) throw new Problem('not_found')
      return entry
    },
    {
      params: t.Object({ code: t.String({ pattern: '^[a-z_]{1,64}$', examples: ['slot_taken'], description: 'The `code` of a problem' }) }),
      response: { 200: Entry },
      detail: about({
        summary: 'What a code means',
        description: 'Where the `type` of a problem leads. With `Accept: text/html` it is a page for people.',
        tags: ['Problems'],
        answer: 'The code'
      })
    }
  )

function entryPage(wanted: string, request: Request): Response {
  const language = languageOf(request.headers.get('accept-language'))
  const text = words[language].problems
  const links = `<p><a href="/problems">${text.all}</a> · <a href="/docs">${text.documents}</a></p>`
  const entry = problemTexts(language).find(({ code }) => code === wanted)
  if (!entry)
    return page({ title: `404 · Health&Med`, status: 404, language, body: `<h1>404</h1><p class="lead">${text.unknown}</p>${links}` })
  return page({
    title: `${entry.code} · Health&Med`,
    language,
    body: `<p class="quiet"><code>${entry.code}</code> · HTTP ${entry.statuses.join(', ')}</p>
<h1>${entry.titles.map(escaped).join('<br>')}</h1>
<h2>${text.todo}</h2>
<ul>${entry.advice.map((advice) => `<li>${escaped(advice)}</li>`).join('')}<li>${text.forHelp}</li></ul>
<p class="quiet">${text.forPrograms}</p>
${links}`
  })
}

function listPage(request: Request): Response {
  const language = languageOf(request.headers.get('accept-language'))
  const text = words[language].problems
  const rows = problemTexts(language).map(
    ({ code, statuses, titles }) =>
      `<tr><td>${statuses.join(', ')}</td><td><a href="/problems/${code}"><code>${code.replaceAll('_', '_<wbr>')}</code></a></td><td>${titles.map(escaped).join('<br>')}</td></tr>`
  )
  return page({
    title: `${text.title} · Health&Med`,
    language,
    wide: true,
    body: `<h1>${text.title}</h1><p class="lead">${text.lead}</p>
<table class="codes"><thead><tr><th>${text.status}</th><th>${text.code}</th><th>${text.meaning}</th></tr></thead><tbody>
${rows.join('\n')}
</tbody></table>`
  })
}
