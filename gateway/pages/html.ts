import type { Language } from './words.ts'

/** Pages load what comes from here and nothing else; no script stands in a page. */
export const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"

/** Text as it may stand in HTML, also between quotes. */
export const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' })[sign] as string)

/** Whether a browser asks, and not a program. */
export const wantsPage = (request: Request) => (request.headers.get('accept') ?? '').includes('text/html')

/** Swagger UI sets styles in its markup; scripts come from here all the same. */
const BARE_POLICY = PAGE_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")

type Page = {
  title: string
  body: string
  status?: number
  language?: Language
  scripts?: string[]
  styles?: string[]
  bare?: boolean
  wide?: boolean
}

/** A whole page in the one look of ours; `bare` leaves out the card around the content and its style. */
export function page({
  title,
  body,
  status = 200,
  language = 'en',
  scripts = [],
  styles = [],
  bare = false,
  wide = false
}: Page): Response {
  const html = `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(title)}</title>
<link rel="icon" href="/assets/mark.svg" type="image/svg+xml">
${(bare ? styles : ['page.css', ...styles]).map((name) => `<link rel="stylesheet" href="/assets/${name}">`).join('\n')}
${scripts.map((name) => `<script src="/assets/${name}" defer></script>`).join('\n')}
</head>
<body>
${bare ? body : `<main class="card${wide ? ' wide' : ''}"><p class="brand"><img src="/assets/mark.svg" alt="" width="28" height="28">Health&amp;Med</p>\n${body}\n</main>`}
</body>
</html>
`
  return new Response(html, {
    status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': bare ? BARE_POLICY : PAGE_POLICY,
      'cache-control': 'no-cache',
      vary: 'Accept, Accept-Language'
    }
  })
}
