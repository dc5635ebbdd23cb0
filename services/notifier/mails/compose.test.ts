import { expect, test } from 'bun:test'
import ICAL from 'ical.js'
import { simpleParser } from 'mailparser'
import { createTransport, type SendMailOptions } from 'nodemailer'
import type { Person } from '../people/queries.ts'
import { compiledPath, compileLayout } from './compile.ts'
import { compose, type Draft, type Sender, senderOf } from './compose.ts'
import { unproved } from './model.ts'
import { sample, samples } from './samples.ts'

const sender: Sender = { from: { name: 'Health&Med', address: 'no-reply@healthmed.example' }, publicUrl: 'https://healthmed.example' }
const wire = createTransport({ streamTransport: true, buffer: true, newline: 'windows' })
const rawOf = async (message: SendMailOptions) =>
  ((await wire.sendMail(message)) as unknown as { message: Buffer }).message.toString('latin1')
const patient = (more: Partial<Person> = {}): Person => ({
  id: '019b0d5e-0000-7000-8000-00000000000a',
  role: 'patient',
  name: 'João',
  email: 'joao@example.com',
  verified: true,
  locale: 'pt-BR',
  timezone: 'America/Sao_Paulo',
  crm: null,
  ...more
})

/** The parts of a message as they stand on the wire, decoded by hand. */
function partsOf(raw: string): { type: string; body: string }[] {
  const boundary = /multipart\/alternative;\s+boundary="([^"]+)"/i.exec(raw)?.[1] ?? ''
  return raw
    .split(`--${boundary}`)
    .slice(1, -1)
    .map((part) => {
      const [head = '', ...rest] = part.split('\r\n\r\n')
      const body = rest.join('\r\n\r\n')
      const type = /content-type:\s*([^\r\n]+(?:\r\n\s+[^\r\n]+)*)/i.exec(head)?.[1]?.replace(/\s+/g, ' ') ?? ''
      return { type, body: /transfer-encoding: base64/i.test(head) ? Buffer.from(body, 'base64').toString('latin1') : body }
    })
}
const calendarOf = async (draft: Draft) => {
  const part = partsOf(await rawOf(compose(draft, sender))).find(({ type }) => type.startsWith('text/calendar'))
  const octets = part?.body ?? ''
  const calendar = new ICAL.Component(ICAL.parse(Buffer.from(octets, 'latin1').toString()))
  return { type: part?.type, octets, calendar, event: calendar.getFirstSubcomponent('vevent') as ICAL.Component }
}

test('the compiled layout is that of layout.mjml', async () => {
  expect(await Bun.file(compiledPath).text()).toBe(await compileLayout())
})

test.each(samples().map((draft) => [`${draft.template} to a ${draft.recipient.role} in ${draft.recipient.locale}`, draft] as const))(
  '%s is whole: HTML and text say the same, nothing is loaded from outside',
  (_, draft) => {
    const { subject, html, text, to, envelope } = compose(draft, sender) as {
      subject: string
      html: string
      text: string
    } & SendMailOptions
    expect(html).toStartWith('<!doctype html>')
    expect(html).toContain(`lang="${draft.recipient.locale}"`)
    expect(html).not.toMatch(/\{\{|<img|<link|src=|undefined|Invalid/)
    expect(text).not.toMatch(/\{\{|undefined|Invalid/)
    expect(subject).not.toMatch(/\{\{|undefined|Invalid|^\s*$|: $/)
    for (const line of text.split('\n').slice(0, -3)) {
      for (const piece of line.split(': ').slice(1))
        expect(html).toContain(piece.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;'))
    }
    expect(to as unknown).toEqual({
      name: unproved.includes(draft.template) ? '' : draft.recipient.name,
      address: draft.data.address ?? draft.recipient.email
    })
    expect(envelope as unknown).toEqual({ from: sender.from, to: [to] })
  }
)

test('neither a subject nor a calendar summary tells a reason', async () => {
  const told = 'Quimioterapia'
  for (const draft of samples().filter(({ data }) => data.appointment)) {
    const { appointment } = draft.data
    const withReason = { ...draft, data: { ...draft.data, appointment: appointment && { ...appointment, statusReason: told } } }
    const { subject, text, alternatives } = compose(withReason, sender)
    expect(subject).not.toContain(told)
    expect(String(alternatives?.[0]?.content ?? '')).not.toContain(told)
    expect(text).toContain(told)
  }
})

test.each(['appointment_confirmed', 'appointment_rescheduled', 'appointment_cancelled'] as const)(
  '%s carries a calendar part beside text and HTML, whose MIME method is the one inside',
  async (template) => {
    const draft = sample(template, patient())
    const raw = await rawOf(compose(draft, sender))
    expect(raw).toMatch(/^Content-Type: multipart\/alternative;/m)
    expect(partsOf(raw).map(({ type }) => type.split(';')[0])).toEqual(['text/plain', 'text/html', 'text/calendar'])
    const { type, calendar, event } = await calendarOf(draft)
    const method = template === 'appointment_cancelled' ? 'CANCEL' : 'REQUEST'
    expect(type).toBe(`text/calendar; charset=utf-8; method=${method}`)
    expect(calendar.getFirstPropertyValue('method')).toBe(method)
    expect(event.getFirstPropertyValue('uid')).toBe(`${draft.appointmentId}@healthmed`)
    expect(Number(event.getFirstPropertyValue('sequence'))).toBe(3)
    expect(event.getFirstPropertyValue('organizer')).toBe('mailto:no-reply@healthmed.example')
    expect(String(event.getFirstPropertyValue('attendee')).toLowerCase()).toBe('mailto:joao@example.com')
    expect((event.getFirstPropertyValue('dtstart') as ICAL.Time).toJSDate().toISOString()).toBe('2027-01-07T11:00:00.000Z')
    expect(event.getFirstPropertyValue('status')).toBe(
      { appointment_confirmed: 'CONFIRMED', appointment_rescheduled: 'TENTATIVE', appointment_cancelled: 'CANCELLED' }[template]
    )
  }
)

test('the organizer of the calendar part is the sender of the mail', async () => {
  const from = senderOf('Clínica <agenda@clinica.example>', 'http://localhost')
  const { alternatives } = compose(sample('appointment_confirmed', patient()), from)
  expect(String(alternatives?.[0]?.content)).toContain('mailto:agenda@clinica.example')
  expect(await rawOf(compose(sample('appointment_confirmed', patient()), from))).toMatch(/^From: .*<agenda@clinica\.example>/m)
})

test('lines of a calendar part have at most 75 octets and never split a character, wherever the fold falls', async () => {
  for (let length = 1; length <= 90; length++) {
    const name = `${'a'.repeat(length)}çãõé Conceição 👩‍⚕️ ${'é'.repeat(40)}`
    const { octets, event } = await calendarOf(sample('appointment_confirmed', patient({ name }), { doctor: { name, crm: null } }))
    for (const line of octets.split('\r\n')) {
      expect(line.length).toBeLessThanOrEqual(75)
      expect(() => new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(line, 'latin1'))).not.toThrow()
    }
    expect(event.getFirstPropertyValue('summary')).toBe(`Consulta com ${name}`)
    expect(event.getFirstProperty('attendee')?.getParameter('cn')).toBe(name)
  }
})

const nasty = 'Ana"\r\nBcc: victim@host\r\n\r\nBEGIN:VEVENT\nUID:x\u2028\u0000;CN=y:mailto:z@z.z, \\n'

test('a name cannot add a header, a recipient or a calendar line', async () => {
  const draft = sample('appointment_confirmed', patient({ name: nasty }), { doctor: { name: nasty, crm: null } })
  const raw = await rawOf(compose(draft, sender))
  const head = raw.slice(0, raw.indexOf('\r\n\r\n'))
  expect(head).not.toMatch(/^bcc:/im)
  const parsed = await simpleParser(Buffer.from(raw, 'latin1'))
  expect([parsed.to].flat().flatMap((list) => list?.value.map(({ address }) => address))).toEqual(['joao@example.com'])
  expect(parsed.bcc).toBeUndefined()
  const { calendar, octets } = await calendarOf(draft)
  expect(calendar.getAllSubcomponents('vevent')).toHaveLength(1)
  expect(octets.match(/^UID:/gm)).toHaveLength(1)
})

test('values are text in HTML, whatever they hold', () => {
  const name = `<script>alert(1)</script>{{text}}"'&`
  const html = String(compose(sample('account_erased', patient({ name })), sender).html)
  expect(html).not.toContain('<script>')
  expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt;{{text}}&quot;&#39;&amp;')
})

test.each([
  'a@example.com, b@example.com',
  'a@example.com b@example.com',
  '"a@evil.example"@example.com',
  'a@example.com>\r\nRCPT TO:<b@example.com',
  'Ana <a@example.com>',
  'group:a@example.com;',
  'a@[evil@example.com]',
  'a@b@example.com',
  'nobody',
  ''
])('%j is not written to', (email) => {
  expect(() => compose(sample('locked_out', patient({ email })), sender)).toThrow('no address')
})

test('the same draft always has the same Message-ID; another recipient, event or template another', () => {
  const one = sample('appointment_confirmed', patient())
  const idOf = (draft: Draft) => compose(draft, sender).messageId
  expect(idOf(one)).toBe(idOf(structuredClone(one)))
  expect(idOf(one)).toMatch(/^<[\w.-]+@healthmed\.example>$/)
  const others = [
    { ...one, recipient: patient({ id: Bun.randomUUIDv7() }) },
    { ...one, eventId: Bun.randomUUIDv7() },
    { ...one, template: 'reminder_1h' as const }
  ]
  expect(new Set([one, ...others].map(idOf)).size).toBe(4)
})

test('a link bears its token in the fragment, and the text has it as a code too', () => {
  const draft = sample('password_reset', patient(), { data: { account: { token: 'a+b/c', expiresAt: '2027-01-05T11:00:00Z' } } })
  const { text, html } = compose(draft, { ...sender, publicUrl: 'https://healthmed.example/' })
  expect(text).toContain('https://healthmed.example/reset-password#token=a%2Bb%2Fc\n')
  expect(String(text).split('\n')).toContain('a+b/c')
  expect(html).toContain('href="https://healthmed.example/reset-password#token=a%2Bb%2Fc"')
})

test('times are those of the visit with the name of their zone, and the recipient sees their own where they differ', () => {
  const textIn = (timezone: string, locale: 'pt-BR' | 'en') =>
    String(compose(sample('appointment_confirmed', patient({ timezone, locale })), sender).text)
  const here = textIn('America/Bahia', 'pt-BR')
  expect(here).toContain('Data e hora: quinta-feira, 7 de janeiro de 2027, 08:00\nFuso horário: Horário Padrão de Brasília (GMT-3)')
  expect(here).not.toContain('No seu fuso')
  expect(textIn('America/Manaus', 'pt-BR')).toContain(
    'No seu fuso: quinta-feira, 7 de janeiro de 2027, 07:00, Horário Padrão do Amazonas (GMT-4)'
  )
  const abroad = textIn('Asia/Kolkata', 'en')
  expect(abroad).toContain('Date and time: Thursday, January 7, 2027, 8:00 AM\nTime zone: Brasilia Standard Time (GMT-3)')
  expect(abroad).toContain('In your zone: Thursday, January 7, 2027, 4:30 PM, India Standard Time (GMT+5:30)')
})

test('of an erased party a mail speaks without a name', () => {
  const text = (locale: 'pt-BR' | 'en') =>
    String(compose(sample('appointment_cancelled', patient({ locale }), { doctor: { name: null, crm: null } }), sender).text)
  expect(text('pt-BR')).toContain('o médico ou a médica')
  expect(text('en')).toContain('the doctor')
})
