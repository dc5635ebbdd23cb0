import { FormatRegistry, Type } from '@sinclair/typebox'
import { parsedUrl, url } from './settings.ts'

/** How a mail server is reached, in the words of nodemailer. */
export type SmtpOptions = {
  host: string
  port: number
  /** TLS from the first byte. */
  secure: boolean
  /** Fails where the server does not offer STARTTLS, before user and password are sent. */
  requireTLS?: true
  /** No TLS, even where the server offers it. */
  ignoreTLS?: true
  auth?: { user: string; pass: string }
  tls?: { ca: string }
}

/** The mail server's address: `smtp://` or `smtps://`, with `?tls=none` or `?tls=required` where the default does not fit. */
export const smtpUrl = (options: Record<string, unknown> = {}) =>
  url('smtp|smtps', { format: 'smtp-url', examples: ['smtp://user:secret@mail.example.com:587'], ...options })
FormatRegistry.Set('smtp-url', (value) => {
  const address = parsedUrl(value)
  if (!address || !/^\/?$/.test(address.pathname)) return false
  const tls = address.searchParams.getAll('tls')
  // any other option is refused: it would be ignored, or make TLS weaker without saying so
  if ([...address.searchParams.keys()].some((name) => name !== 'tls') || tls.length > 1) return false
  return tls.every((word) => word === 'required' || (word === 'none' && address.protocol === 'smtp:'))
})

/** Certificates (PEM) of the authorities that the mail server's certificate is checked against, in place of the public ones. */
export const smtpCa = () => Type.String({ pattern: '-----BEGIN CERTIFICATE-----', examples: ['SMTP_CA_FILE=/etc/ssl/certs/clinic-ca.pem'] })

/**
 * Reads SMTP_URL and SMTP_CA. `smtps` is TLS from the start. With `smtp`, STARTTLS is required where a password is given, or where `?tls=required` says
 * so; without a password it is used where the server offers it; `?tls=none` never uses it.
 */
export function smtpOptions(address: string, ca?: string): SmtpOptions {
  const { protocol, hostname, port, username, password, searchParams } = new URL(address)
  const secure = protocol === 'smtps:'
  const hasLogin = username !== '' || password !== ''
  const tls = searchParams.get('tls')
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port) || (secure ? 465 : 587),
    secure,
    ...(!secure && tls === 'none' && { ignoreTLS: true }),
    ...(!secure && tls !== 'none' && (hasLogin || tls === 'required') && { requireTLS: true }),
    ...(hasLogin && { auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) } }),
    ...(ca && { tls: { ca } })
  }
}

/** Says what to do where TLS with the mail server failed; undefined where something else did. */
export function tlsAdvice(error: unknown): string | undefined {
  const { code, message = '' } = error as { code?: string; message?: string }
  if (/certificate|self.signed|unable to verify|altname|issuer/i.test(message))
    return 'The certificate of the mail server is not trusted. For a private authority set SMTP_CA_FILE to its certificate; check that the host in SMTP_URL is the one in the certificate.'
  if (code === 'ETLS' || /STARTTLS/.test(message))
    return 'The mail server does not offer STARTTLS, and without TLS no password is sent. Use smtps:// or the port that offers STARTTLS; `?tls=none` in SMTP_URL sends the password in clear text and is only for a network that you trust.'
  return undefined
}
