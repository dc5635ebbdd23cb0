import { createRequire } from 'node:module'

/*
 * What people write and other people read: names, reasons, descriptions. This file owns the rules; the schemas of `schema.ts` and the mails apply them.
 */

// required and not imported: Bun gives a JSON file that one module imports and another requires (mailparser does) to the second as a broken array
const tlds: string[] = createRequire(import.meta.url)('tlds')

/** Characters that show nothing or change the direction of what follows: controls, format characters, separators, fillers. */
const hidden = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u
/** What joins and colours emoji. It stands only between or after them. */
const emojiJoiners =
  /(?<=\p{Extended_Pictographic}|\p{Emoji_Modifier}|\ufe0f)\u200d(?=\p{Extended_Pictographic})|(?<=\p{Emoji})(?:\ufe0e|\ufe0f)/gu

/** Whether text is free of hidden characters. Line breaks, tabs and the joiners of emoji are allowed. */
export const isPlainText = (text: string): boolean =>
  // nearly every text: the Latin script
  /^[ -~\t\n\r¡-¬®-ɏ]*$/.test(text) || !hidden.test(text.replace(emojiJoiners, '').replace(/[\t\n\r]/g, ''))

/** Whether text can be the name of a person: it has a letter, no hidden character, no bracket and no link. */
export const isName = (text: string): boolean =>
  /\p{L}/u.test(text) && !hidden.test(text) && !/[\p{Cs}\p{Co}\p{Cn}<>]/u.test(text) && !hasLink(text)

const topLevel = new Set([
  ...tlds,
  // names that no registry gives out, but that programs link and local networks use
  ...['example', 'test', 'invalid', 'localhost', 'local', 'internal', 'onion', 'home', 'lan', 'corp']
])
/** Abbreviations of titles that are also spelled like a domain. */
const titles = new Set(['m.sc', 'b.sc', 'd.sc', 'dr.med'])
/** What is read as a dot, beside what Unicode itself counts as one. The middle dot of Catalan (`l·l`) is none. */
const lookalikes =
  /[\u3002\uff61\u0660\u06d4\u06f0\u0701\u0702\u2027\u2219\u22c5\u2e31\u2e33\u30fb\ua4f8\ua60e]|(?<!l)\u00b7|\u00b7(?!l)|[([{]\s*\.\s*[)\]}]/gu
const dottedWord = /[\p{L}\p{M}\p{N}-]+(?:\.[\p{L}\p{M}\p{N}-]+)+/gu

/**
 * Whether mail programs could make a link of a part of the text. Compatibility forms (fullwidth letters, other dots) count as what they look like.
 * `Dr.Ana` and `J.P. Lima` are no links: a dotted word is one only if a label after a dot is a top-level domain.
 */
export function hasLink(text: string): boolean {
  // nearly every name: letters and what stands between them
  if (!/[^\p{L}\p{M} ,'’-]|\ua4f8/u.test(text)) return false
  const plain = text.normalize('NFKC').toLowerCase().replace(lookalikes, '.')
  if (/:\s*\/\s*\/|\bh(tt|xx)ps?\s*:|\bwww\d*\s*\./.test(plain)) return true
  return (plain.match(dottedWord) ?? []).some((word) => {
    if (titles.has(word)) return false
    const labels = word.split('.').slice(1)
    return labels.some((label) => topLevel.has(label) || label.startsWith('xn--')) || /^\d+(\.\d+){3}$/.test(word)
  })
}

/** Text on one line: line breaks and controls become a space, hidden characters go. The joiners of emoji stay. */
export function oneLine(text: string): string {
  // nearly every text: letters of the Latin script in one line
  if (!/[^ -~¡-¬®-ɏ]| {2}|^ | $/.test(text)) return text
  const joiners = new Set([...text.matchAll(emojiJoiners)].map(({ index }) => index))
  return text
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, (run) => ' '.repeat(run.length))
    .replace(/[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu, (char, index: number) => (joiners.has(index) ? char : ''))
    .replace(/ {2,}/g, ' ')
    .trim()
}
