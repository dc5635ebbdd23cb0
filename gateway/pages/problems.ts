import { Elysia, t } from 'elysia'
import { about } from '#platform/docs-about'
import { Problem, problemCatalog } from '#platform/problem'
import { escaped, page } from './html.ts'

const wantsPage = (request: Request) => (request.headers.get('accept') ?? '').includes('text/html')
const Entry = t.Object({
  code: t.String({ examples: ['slot_taken'], description: 'Stable; what programs go by' }),
  statuses: t.Array(t.Integer(), { examples: [[409]], description: 'One, but for `token_invalid`' }),
  title: t.String({ examples: ['Somebody else has this slot'] })
})

/** What each code means; one word may stand at two statuses. */
const codes = Map.groupBy(problemCatalog, ({ code }) => code)
const entries = [...codes].map(([code, found]) => ({
  code,
  statuses: found.map(({ status }) => status),
  title: found.map(({ title }) => title).join('; ')
}))

/** The pages that the `type` of a problem leads to: a page for people, JSON for programs. */
export const problemPages = new Elysia({ name: 'problem-pages' })
  .get('/problems', ({ request }) => (wantsPage(request) ? (listPage() as never) : { items: entries }), {
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
      const entry = entries.find(({ code }) => code === params.code)
      if (!entry) throw new Problem('not_found')
      return wantsPage(request) ? (entryPage(entry) as never) : entry
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

type Entry = (typeof entries)[number]

const entryPage = ({ code, statuses, title }: Entry) =>
  page({
    title: `${code} · Health&Med`,
    body: `<p class="quiet">HTTP ${statuses.join(', ')}</p><h1><code>${escaped(code)}</code></h1>
<p class="lead">${escaped(title)}.</p>
<p>Let your program go by <code>code</code>: it stays, while texts may change. When you ask for help, name the <code>requestId</code>: it stands in every log line of the request.</p>
<p><a href="/problems">Every code</a> · <a href="/docs">API documents</a></p>`
  })

const listPage = () =>
  page({
    title: 'Problems · Health&Med',
    wide: true,
    body: `<h1>Problems</h1><p class="lead">Every refusal is <code>application/problem+json</code> (RFC 9457) with one of these codes.</p>
<table><thead><tr><th>Status</th><th>Code</th><th>Meaning</th></tr></thead><tbody>
${entries.map(({ code, statuses, title }) => `<tr><td>${statuses.join(', ')}</td><td><a href="/problems/${code}"><code>${code.replaceAll('_', '_<wbr>')}</code></a></td><td>${escaped(title)}</td></tr>`).join('\n')}
</tbody></table>`
  })
