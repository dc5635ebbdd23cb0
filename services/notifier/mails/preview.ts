import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { compose, type Sender } from './compose.ts'
import { escapeHtml } from './html.ts'
import { cases, samples } from './samples.ts'

const sender: Sender = { from: { name: 'Health&Med', address: 'no-reply@healthmed.localhost' }, publicUrl: 'http://localhost:8080' }

/** Writes every mail in both languages, as HTML, text and calendar part, with a page that shows them all side by side; gives that page's path. */
export async function writePreview(folder: string): Promise<string> {
  mkdirSync(folder, { recursive: true })
  const cards: string[] = []
  for (const [more, draft] of [...samples().map((draft) => ['', draft] as const), ...cases()]) {
    const { subject, html, text, alternatives } = compose(draft, sender)
    const name = `${draft.template}.${draft.recipient.role}.${draft.recipient.locale}${more && `.${more}`}`
    await Bun.write(join(folder, `${name}.html`), String(html))
    await Bun.write(join(folder, `${name}.txt`), String(text))
    const calendar = alternatives?.[0]?.content
    if (calendar) await Bun.write(join(folder, `${name}.ics`), String(calendar))
    cards.push(cardOf(name, String(subject), calendar !== undefined))
  }
  const page = join(folder, 'index.html')
  await Bun.write(page, pageOf(cards))
  return page
}

const cardOf = (name: string, subject: string, calendar: boolean) => `<figure><figcaption><b>${escapeHtml(subject)}</b><br>${name}
  · <a href="${name}.txt">text</a>${calendar ? ` · <a href="${name}.ics">calendar</a>` : ''}</figcaption><iframe src="${name}.html"></iframe></figure>`

const pageOf = (cards: string[]) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>Mails</title>
<style>body{font:14px sans-serif;display:flex;flex-wrap:wrap;gap:16px}figure{margin:0}iframe{width:390px;height:640px;border:1px solid #999}</style>
${cards.join('\n')}</html>`

if (import.meta.main) {
  const folder = process.argv[2] ?? join(resolve(process.env.DATA_DIR ?? '.data'), 'mails-preview')
  console.log(`Look at ${await writePreview(folder)}`)
}
