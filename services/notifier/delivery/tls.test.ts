import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { smtpOf } from '../../../ops/checks.ts'
import { openSmtp } from './smtp.ts'

const folder = mkdtempSync(join(tmpdir(), 'healthmed-certificates-'))
const read = (name: string) => readFileSync(join(folder, name), 'utf8')
const openssl = (...words: string[]) => {
  const { exitCode, stderr } = Bun.spawnSync(['openssl', ...words], { cwd: folder })
  if (exitCode !== 0) throw new Error(stderr.toString())
}

beforeAll(() => {
  // an authority of our own, and a certificate of it for this machine
  openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=Clinic CA')
  openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'key.pem', '-out', 'request.pem', '-subj', '/CN=localhost')
  const names = join(folder, 'names')
  Bun.spawnSync(['sh', '-c', `printf 'subjectAltName=DNS:localhost' >'${names}'`])
  openssl(
    ...['x509', '-req', '-in', 'request.pem', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2'],
    ...['-extfile', 'names', '-out', 'certificate.pem']
  )
})
afterAll(() => rmSync(folder, { recursive: true }))

/** A mail server; `heard` is every byte that came in clear text, `logins` who logged in, `mails` how many mails it took. */
async function startServer(options: SMTPServerOptions) {
  const seen = { heard: '', logins: [] as string[], mails: 0 }
  const server = new SMTPServer({
    logger: false,
    closeTimeout: 100,
    allowInsecureAuth: true,
    ...options,
    onAuth: ({ username = '', password = '' }, _session, done) => {
      seen.logins.push(`${username} ${password}`)
      done(null, { user: username })
    },
    onData: (stream, _session, done) => {
      stream.resume().on('end', () => {
        seen.mails++
        done()
      })
    }
  })
  server.on('error', () => {})
  server.server.on('connection', (socket) => socket.prependListener('data', (data: Buffer) => (seen.heard += data.toString('latin1'))))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.server.address() as { port: number }
  return { ...seen, seen, port, close: () => new Promise<void>((resolve) => server.close(() => resolve())) }
}

const addresses = { from: 'clinic@example.com', to: 'ana@example.com' }
const mail = { ...addresses, envelope: addresses, subject: 'x', text: 'y' }

const plain: SMTPServerOptions = { disabledCommands: ['STARTTLS'] }
const starttls = () => ({ key: read('key.pem'), cert: read('certificate.pem') })
const secure = () => ({ ...starttls(), secure: true })

type Case = [what: string, server: () => SMTPServerOptions, scheme: string, login: boolean, tls: string, ca: boolean, kind: string]
const cases: Case[] = [
  ['a password and no STARTTLS', () => plain, 'smtp', true, '', false, 'away'],
  ['a password and no STARTTLS, tls=required', () => plain, 'smtp', true, '?tls=required', true, 'away'],
  ['no password, no STARTTLS, tls=required', () => plain, 'smtp', false, '?tls=required', true, 'away'],
  ['a password and no STARTTLS, tls=none', () => plain, 'smtp', true, '?tls=none', false, 'accepted'],
  ['no password and no STARTTLS', () => ({ ...plain, authOptional: true }), 'smtp', false, '', false, 'accepted'],
  ['STARTTLS and the authority', starttls, 'smtp', true, '', true, 'accepted'],
  ['STARTTLS and an unknown authority', starttls, 'smtp', true, '', false, 'away'],
  ['no password, STARTTLS and the authority', () => ({ ...starttls(), authOptional: true }), 'smtp', false, '', true, 'accepted'],
  ['smtps and the authority', secure, 'smtps', true, '', true, 'accepted'],
  ['smtps and an unknown authority', secure, 'smtps', true, '', false, 'away'],
  ['smtps where the server speaks no TLS', () => plain, 'smtps', true, '', true, 'away']
]

test.each(cases)('%s: over %p', async (what, options, scheme, login, tls, ca, kind) => {
  const server = await startServer(options())
  const url = `${scheme}://${login ? 'ana:hunter2secret@' : ''}localhost:${server.port}${tls}`
  const authority = ca ? read('ca.pem') : undefined
  const smtp = openSmtp(url, { connections: 1, limitMs: 5_000, ca: authority })
  try {
    expect(await smtp.send(mail)).toMatchObject({ kind })
    expect(server.seen.mails).toBe(kind === 'accepted' ? 1 : 0)
    expect(server.seen.logins).toEqual(kind === 'accepted' && login ? ['ana hunter2secret'] : [])
    // what stands in clear text on the wire: nothing of the login, unless tls=none
    const secrets = ['hunter2secret', btoa('\0ana\0hunter2secret'), btoa('hunter2secret'), 'AUTH PLAIN']
    const leaked = secrets.some((secret) => server.seen.heard.includes(secret))
    expect([what, leaked]).toEqual([what, tls === '?tls=none'])
    const found = await smtpOf(url, authority)
    expect(found.right).toBe(kind === 'accepted')
    if (kind === 'away') expect(smtp.trouble()).toBeString()
    if (kind === 'away' && scheme === 'smtp') {
      const words = options === starttls ? /certificate of the mail server is not trusted.*SMTP_CA_FILE/ : /does not offer STARTTLS/
      expect(smtp.trouble()).toMatch(words)
      expect(found.mend).toMatch(words)
    }
  } finally {
    smtp.close()
    await server.close()
  }
})
