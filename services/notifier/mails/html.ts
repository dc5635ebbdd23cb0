import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Content } from './model.ts'

type Frame = { lang: string; footer: string }

const layout = readFileSync(join(import.meta.dir, 'layout.html'), 'utf8')

/** What stands between the two marks of a part of the layout, and the layout with a slot in its place. */
function cut(html: string, name: string): { part: string; rest: string } {
  const [open, close] = [`<!-- part:${name} -->`, `<!-- /part:${name} -->`]
  const [from, to] = [html.indexOf(open), html.indexOf(close)]
  if (from < 0 || to < from) throw new Error(`the layout has no part ${name}: compile it again`)
  return { part: html.slice(from + open.length, to), rest: `${html.slice(0, from)}{{${name}}}${html.slice(to + close.length)}` }
}

/** HTML and the names of its slots in turn. */
type Pieces = string[]
const piecesOf = (html: string): Pieces => html.split(/\{\{(\w+)\}\}/)

const paragraph = cut(layout, 'paragraph')
const facts = cut(paragraph.rest, 'facts')
const fact = cut(facts.part, 'fact')
const action = cut(facts.rest, 'action')
const layoutParts = {
  paragraph: piecesOf(paragraph.part),
  facts: piecesOf(fact.rest),
  fact: piecesOf(fact.part),
  action: piecesOf(action.part),
  shell: piecesOf(action.rest)
}

/** Text as HTML that means nothing but that text, also within quotes. */
export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (char) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' })[char] ?? '')

/** Fills slots: `texts` are escaped, `parts` are HTML that was filled before. No value is ever filled again; a slot that nothing fills stays to be seen. */
function fill(pieces: Pieces, texts: Record<string, string>, parts: Record<string, string> = {}): string {
  const filled = (slot: string) => parts[slot] ?? (slot in texts ? escapeHtml(texts[slot] ?? '') : `{{${slot}}}`)
  return pieces.map((piece, index) => (index % 2 === 0 ? piece : filled(piece))).join('')
}

/** A mail's HTML. */
export function toHtml(content: Content, { lang, footer }: Frame): string {
  const rows = (content.facts ?? []).map(([label, value]) => fill(layoutParts.fact, { label, value })).join('')
  return fill(
    layoutParts.shell,
    { lang, footer, heading: content.heading, preview: content.paragraphs[0] ?? '' },
    {
      paragraph: content.paragraphs.map((text) => fill(layoutParts.paragraph, { text })).join(''),
      facts: rows && fill(layoutParts.facts, {}, { fact: rows }),
      action: content.action ? fill(layoutParts.action, { ...content.action }) : ''
    }
  )
}

/** The same mail as plain text. */
export function toText(content: Content, { footer }: Frame): string {
  const { heading, paragraphs, facts = [], action } = content
  const blocks = [
    heading,
    ...paragraphs,
    facts.map(([label, value]) => `${label}: ${value}`).join('\n'),
    action ? `${action.label}:\n${action.url}` : '',
    action ? `${action.codeLabel}\n${action.code}` : '',
    `-- \n${footer}`
  ]
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`
}
