import { expect, test } from 'bun:test'
import { openSmtp } from './smtp.ts'

/** A server that says `reply` to one command, and what it should to all others. */
function serverThatSays(reply: string, to: string) {
  const usual: [RegExp, string][] = [
    [/^EHLO/, '250 mail.example'],
    [/^(MAIL|RCPT)/, '250 ok'],
    [/^DATA/, '354 go on'],
    [/\r\n\.\r\n$/, '250 taken'],
    [/^QUIT/, '221 bye']
  ]
  const line = (text: string) => `${text}\r\n`
  return Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open: (socket) => void socket.write(line(to === '' ? reply : '220 mail.example')),
      data: (socket, data) => {
        const said = data.toString()
        const answer = to !== '' && said.startsWith(to) ? reply : usual.find(([pattern]) => pattern.test(said))?.[1]
        if (answer) socket.write(line(answer))
      }
    }
  })
}

const addresses = { from: 'clinic@example.com', to: 'ana@example.com' }
const mail = { ...addresses, envelope: addresses, subject: 'x', text: 'y' }

test.each([
  ['', 'HTTP/1.1 400 Bad Request', 'away'],
  ['', '421 busy', 'away'],
  ['MAIL', 'HTTP/1.1 400 Bad Request', 'refused'],
  ['RCPT', '<html>Please sign in to the Wi-Fi</html>', 'refused'],
  ['DATA', 'nonsense', 'refused'],
  ['RCPT', '451 later', 'refused'],
  ['RCPT', '550 nobody here', 'failed'],
  ['MAIL', '250 ok', 'accepted']
])('where %p is answered with %p the mail is %s', async (command, reply, kind) => {
  const server = serverThatSays(reply, command)
  const smtp = openSmtp(`smtp://127.0.0.1:${server.port}`, { connections: 1, limitMs: 5_000 })
  expect((await smtp.send(mail)).kind).toBe(kind as 'accepted')
  smtp.close()
  server.stop(true)
})

test('a mail to nowhere fails for good, for it is ours that is wrong', async () => {
  const server = serverThatSays('250 ok', 'MAIL')
  const smtp = openSmtp(`smtp://127.0.0.1:${server.port}`, { connections: 1, limitMs: 5_000 })
  expect((await smtp.send({ ...mail, envelope: { ...addresses, to: '' } })).kind).toBe('failed')
  smtp.close()
  server.stop(true)
})
