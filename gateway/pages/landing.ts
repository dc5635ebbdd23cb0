import { Elysia } from 'elysia'
import { escaped, page } from './html.ts'
import { languageOf, words } from './words.ts'

/** `/`: where everything is. */
export const landing = new Elysia({ name: 'landing', detail: { hide: true } })
  .get('/', ({ request }) => {
    const language = languageOf(request.headers.get('accept-language'))
    const { title, lead, tiles } = words[language].landing
    const items = Object.entries(tiles).map(
      ([path, [name, text]]) => `<li><a href="${path}"><strong>${escaped(name)}</strong>${escaped(text)}</a></li>`
    )
    return page({
      title: 'Health&Med',
      language,
      body: `<h1>${escaped(title)}</h1>\n<p class="lead">${escaped(lead)}</p>\n<ul class="tiles">\n${items.join('\n')}\n</ul>`
    })
  })
  .get('/favicon.ico', () => new Response(null, { status: 302, headers: { location: '/assets/mark.svg' } }))
