import { Elysia } from 'elysia'
import { escaped, page } from './html.ts'
import { languageOf, words } from './words.ts'

/** The pages that mails lead to. Opening one changes nothing (mail scanners follow links): the token is posted at the press of a button. */
export const mailLinks = new Elysia({ name: 'mail-links', detail: { hide: true } })
  .get('/verify-email', ({ request }) => {
    const language = languageOf(request.headers.get('accept-language'))
    const { verify } = words[language]
    return page({ language, title: verify.title, scripts: ['token.js'], body: form(language, verify, '/v1/auth/email/verify', '') })
  })
  .get('/reset-password', ({ request }) => {
    const language = languageOf(request.headers.get('accept-language'))
    const { reset } = words[language]
    const fields = `<label>${escaped(reset.password)}<input name="newPassword" type="password" autocomplete="new-password" minlength="12" maxlength="128" required></label>
<label>${escaped(reset.repeat)}<input name="repeat" type="password" autocomplete="new-password" minlength="12" maxlength="128" required></label>`
    return page({ language, title: reset.title, scripts: ['token.js'], body: form(language, reset, '/v1/auth/password/reset', fields) })
  })

type Texts = { title: string; lead: string; button: string; done: string; different?: string }

function form(language: keyof typeof words, texts: Texts, action: string, fields: string): string {
  const { token, refusals } = words[language]
  const said = escaped(JSON.stringify({ ...refusals, done: texts.done, different: texts.different }))
  return `<h1>${escaped(texts.title)}</h1>
<p class="lead">${escaped(texts.lead)}</p>
<form data-action="${action}" data-words="${said}">
<label data-token>${escaped(token)}<input name="token" autocomplete="off" spellcheck="false" maxlength="256" required></label>
${fields}
<button>${escaped(texts.button)}</button>
</form>
<p class="outcome" role="status" aria-live="polite" hidden></p>`
}
