import type { Facts } from './model.ts'

/** The page that takes a mail's token, and the token as a code. It stands in the fragment, which no server's log and no mail scanner's GET ever sees. */
export function linkOf({ publicUrl, account }: Facts, page: 'verify-email' | 'reset-password'): { url: string; code: string } {
  const code = account.token ?? ''
  return { url: `${publicUrl.replace(/\/+$/, '')}/${page}#token=${encodeURIComponent(code)}`, code }
}
