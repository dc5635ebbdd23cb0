import { expect, test } from 'bun:test'
import { mailsTo, sourceOf } from './mails.ts'

/** Answers as the documents of each mailbox's API say. */
const serve = (routes: Record<string, unknown>) => {
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: ({ url }) => {
      const found = routes[new URL(url).pathname]
      return found === undefined
        ? new Response(null, { status: 404 })
        : typeof found === 'string'
          ? new Response(found)
          : Response.json(found)
    }
  })
  return { url: `http://127.0.0.1:${server.port}`, stop: () => server.stop(true) }
}
const mail = { id: '1', subject: 'Olá', text: 'texto', html: '<p>texto</p>' }

test.each([
  [
    'MailDev',
    {
      '/api/email': [
        { ...mail, to: [{ address: 'ana@example.com' }] },
        { ...mail, to: [{ address: 'rui@example.com' }] }
      ],
      '/api/email/1/source': 'raw'
    }
  ],
  [
    'Mailpit',
    {
      '/api/v1/search': { total: 1, messages: [{ ID: '1', Subject: 'Olá', To: [{ Name: '', Address: 'ana@example.com' }] }] },
      '/api/v1/message/1': { ID: '1', Subject: 'Olá', Text: 'texto', HTML: '<p>texto</p>' },
      '/api/v1/message/1/raw': 'raw'
    }
  ]
])('the mails of a mailbox of %s are found and read', async (_, routes) => {
  const { url, stop } = serve(routes)
  expect(await mailsTo(url, 'ana@example.com')).toEqual([expect.objectContaining(mail)])
  expect(await sourceOf(url, '1')).toBe('raw')
  stop()
})
