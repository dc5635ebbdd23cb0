import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTransport } from 'nodemailer'
import { eventually } from '#platform/testing/testing'
import { type MailboxServer, startMailbox } from './mailbox.ts'

const dir = mkdtempSync(join(tmpdir(), 'mailbox-test-'))
let mailbox: MailboxServer
beforeAll(async () => {
  // what an earlier release left
  mkdirSync(join(dir, 'mails/old'), { recursive: true, mode: 0o755 })
  writeFileSync(join(dir, 'mails/old.eml'), 'Subject: old\r\n\r\n', { mode: 0o644 })
  mailbox = await startMailbox({ dir })
  const smtp = createTransport(mailbox.smtpUrl)
  await smtp.sendMail({
    from: 'a@example.com',
    to: 'b@example.com',
    subject: 'token',
    text: 'secret',
    attachments: [{ filename: 'invite.ics', content: 'BEGIN:VCALENDAR' }]
  })
  smtp.close()
  await eventually(async () => (await list()).body.includes('token'))
})
afterAll(async () => {
  await mailbox?.stop()
  rmSync(dir, { recursive: true, force: true })
})

const list = async (headers: Record<string, string> = {}, path = '/api/email', method = 'GET') => {
  const response = await fetch(`${mailbox.url}${path}`, { method, headers })
  return { body: await response.text(), allowed: response.headers.get('access-control-allow-origin'), status: response.status }
}

test('captured mails are readable by their owner alone, those of an earlier release too', () => {
  const open = (readdirSync(dir, { recursive: true }) as string[]).filter((name) => (statSync(join(dir, name)).mode & 0o077) !== 0)
  expect(open).toEqual([])
  expect(readdirSync(join(dir, 'mails')).length).toBeGreaterThan(1)
})

test('a page of another origin cannot read the mails, by a call, a preflight or the live updates', async () => {
  for (const origin of ['https://evil.example', 'null', 'http://localhost:9999', `${mailbox.url}.evil.example`]) {
    expect([origin, (await list({ origin })).allowed]).toEqual([origin, null])
    const preflight = await list({ origin, 'access-control-request-method': 'DELETE' }, '/api/email', 'OPTIONS')
    expect([origin, preflight.allowed]).toEqual([origin, null])
    const live = await list({ origin }, '/socket.io/?EIO=4&transport=polling')
    expect([origin, live.status, live.allowed]).toEqual([origin, 403, null])
  }
})

test('its own page has the live updates, and a program without an origin has the mails', async () => {
  expect((await list({ origin: mailbox.url }, '/socket.io/?EIO=4&transport=polling')).status).toBe(200)
  expect((await list()).status).toBe(200)
})
